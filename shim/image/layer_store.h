#ifndef BULKHEAD_SHIM_IMAGE_LAYER_STORE_H_
#define BULKHEAD_SHIM_IMAGE_LAYER_STORE_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"
#include "shim/image/digest.h"
#include "shim/image/image_db.h"

namespace bulkhead::image {

// A directory below ingest/, for what is not complete yet; removed with everything in it when the
// object goes. Its lock (flock(2)) tells other processes that it is in use: the kernel drops it
// with the process, so that leftovers can be told from work under way.
class IngestDir {
 public:
  IngestDir(int parent, std::string name, UniqueFd fd)
      : parent_(parent), name_(std::move(name)), fd_(std::move(fd)) {}
  IngestDir(IngestDir&& other) noexcept
      : parent_(other.parent_), name_(std::exchange(other.name_, "")), fd_(std::move(other.fd_)) {}
  IngestDir(const IngestDir&) = delete;
  IngestDir& operator=(const IngestDir&) = delete;
  ~IngestDir();

  int fd() const { return fd_.get(); }
  const std::string& name() const { return name_; }
  // Makes the sub-directory "fs", where a layer's files go, and opens it.
  absl::StatusOr<UniqueFd> MakeRoot() const;
  // The directory was renamed and is no longer to be removed; gives its locked descriptor.
  UniqueFd Renamed() {
    name_.clear();
    return std::move(fd_);
  }

 private:
  int parent_;  // not owned
  std::string name_;
  UniqueFd fd_;
};

// The directories of unpacked layers, layers/sha256/HEX/fs, and their rows in the database. A
// layer appears complete, by rename. A shared flock on its directory is a hold: it keeps the layer
// from being dropped, by this or another process. Thread-safe.
class LayerStore {
 public:
  // `db` must outlive the store. Removes what crashed processes and power losses left: unfinished
  // directories, layers without a row, and rows whose layer may not have reached the disk.
  static absl::StatusOr<std::unique_ptr<LayerStore>> Open(const std::string& data_dir, ImageDb& db);

  // A hold on the layer, an invalid descriptor if there is none.
  absl::StatusOr<UniqueFd> Hold(const Digest& diff_id);
  absl::StatusOr<IngestDir> NewIngest();
  // Makes the layer of an ingested directory, and returns a hold on it. Another process may have
  // been faster, then that one's layer counts. `blob` as for ImageDb::PutLayer.
  absl::StatusOr<UniqueFd> Commit(IngestDir ingest, const Digest& diff_id, const std::string& blob,
                                  const DiskUse& use);
  // Deletes the layer, unless it is held or `still_unused` (asked when no hold can come any more)
  // says no.
  absl::Status Drop(const Digest& diff_id,
                    const std::function<absl::StatusOr<bool>()>& still_unused);

  // Waits until all layers and the database are on disk, so that they survive a power loss.
  absl::Status Sync();

  // The directory with the layer's files.
  std::string FilesOf(const Digest& diff_id) const;
  // A directory of the file system that holds the layers.
  std::string Root() const { return root_; }

 private:
  LayerStore(std::string root, ImageDb& db) : root_(std::move(root)), db_(db) {}
  absl::Status OpenDirectories(const std::string& data_dir);
  absl::Status SweepIngest();
  absl::Status SweepRows();
  absl::Status SweepLayers();
  absl::Status DropWithoutRow(const Digest& diff_id);
  absl::Status Discard(UniqueFd locked, const Digest& diff_id);

  std::string root_;  // …/layers
  ImageDb& db_;
  UniqueFd layers_;  // …/layers/sha256
  UniqueFd ingest_;
  std::string boot_id_;
};

}  // namespace bulkhead::image

#endif  // BULKHEAD_SHIM_IMAGE_LAYER_STORE_H_
