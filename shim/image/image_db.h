#ifndef BULKHEAD_SHIM_IMAGE_IMAGE_DB_H_
#define BULKHEAD_SHIM_IMAGE_IMAGE_DB_H_

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shim/image/image.h"
#include "shim/image/layer_writer.h"
#include "shim/image/sqlite.h"

namespace bulkhead::image {

// An image to be recorded, its layers being there already.
struct ImageRecord {
  std::string id;                     // digest of config_json
  std::string config_json;            // as the registry has it
  std::string manifest_json;          // empty for archives that have none
  std::vector<std::string> diff_ids;  // bottom first
  std::vector<std::string> repo_tags;
  std::vector<std::string> repo_digests;
};

struct LayerRow {
  std::string diff_id;
  std::string boot_id;  // of the boot that wrote it, until it is known to be on disk; then empty
};

// The metadata of images and layers in one SQLite file, which other processes may open too: it is
// read anew by each call. Thread-safe. It knows nothing of the directories of layers.
//
// A removed image keeps its row without names, unseen by List and Find, until Forget: containers
// may run on its layers, and take them by the image's id after a restart.
class ImageDb {
 public:
  static absl::StatusOr<std::unique_ptr<ImageDb>> Open(const std::string& path);

  // Adds the image, or its new names; a tag that another image had moves here.
  absl::Status Put(const ImageRecord& record);

  absl::StatusOr<std::vector<Image>> List();
  // The id of the image with this tag or digest reference, empty if there is none.
  absl::StatusOr<std::string> IdOfName(const std::string& name);
  // The ids of seen images that start with `prefix`, two at most.
  absl::StatusOr<std::vector<std::string>> IdsOfPrefix(const std::string& prefix);
  // Also of a removed image where `removed_too`.
  absl::StatusOr<std::optional<Image>> Get(const std::string& id, bool removed_too = false);

  // Takes all names away and marks the image as removed.
  absl::Status MarkRemoved(const std::string& id);
  // Takes one name away; with the last tag of a repository its digests go too, with the last name
  // the image is marked as removed.
  absl::Status RemoveName(const std::string& name);
  absl::StatusOr<std::vector<std::string>> RemovedImages();
  absl::Status Forget(const std::string& id);

  // The layer's directory is complete; `blob` is the digest that it was made from, if known.
  absl::Status PutLayer(const std::string& diff_id, const std::string& blob, const DiskUse& use,
                        const std::string& boot_id);
  absl::StatusOr<bool> HasLayer(const std::string& diff_id);
  // Whether this very blob was unpacked to this layer.
  absl::StatusOr<bool> IsLayerOfBlob(const std::string& diff_id, const std::string& blob);
  absl::Status PutBlob(const std::string& diff_id, const std::string& blob);
  absl::StatusOr<std::vector<LayerRow>> Layers();
  absl::StatusOr<std::vector<std::string>> UnusedLayers();
  absl::StatusOr<bool> IsLayerUsed(const std::string& diff_id);
  absl::Status DropLayer(const std::string& diff_id);
  // Forgets a layer that is not there as it should be, with the images that need it.
  absl::Status DropBrokenLayer(const std::string& diff_id);
  absl::Status MarkSynced(const std::vector<std::string>& diff_ids);
  absl::StatusOr<DiskUse> LayerUse();

  // Waits until all that was written is on disk. Holds no other call up.
  absl::Status Flush() const;

 private:
  ImageDb(std::string path, Database database)
      : path_(std::move(path)), database_(std::move(database)) {}
  absl::Status CreateTables();
  absl::Status RunAll(const std::vector<std::string>& sql, const std::string& parameter);
  absl::StatusOr<std::vector<std::string>> Column(const std::string& sql,
                                                  const std::vector<std::string>& parameters);
  absl::Status FillNames(Image& image);

  const std::string path_;
  std::mutex mutex_;  // one connection, one user at a time
  Database database_;
};

}  // namespace bulkhead::image

#endif  // BULKHEAD_SHIM_IMAGE_IMAGE_DB_H_
