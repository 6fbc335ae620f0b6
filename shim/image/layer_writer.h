#ifndef BULKHEAD_SHIM_IMAGE_LAYER_WRITER_H_
#define BULKHEAD_SHIM_IMAGE_LAYER_WRITER_H_

#include <sys/stat.h>
#include <time.h>

#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"
#include "shim/image/layer_path.h"
#include "shim/image/tar_reader.h"

namespace bulkhead::image {

// What unpacked files take: sizes rounded up to blocks, hard links counted once.
struct DiskUse {
  uint64_t bytes = 0;
  uint64_t inodes = 0;
};

struct UnpackLimits {
  uint64_t max_bytes = 0;
  uint64_t max_entries = 0;
};

// Writes the members of an archive below a directory, as root, with their owners, modes, extended
// attributes and times. Every access goes through descriptors that cannot leave the directory,
// whatever names and links the archive has; members that try are refused. Whiteouts become those
// of overlayfs: a character device 0/0, and trusted.overlay.opaque on an opaque directory. Parents
// that the archive lacks are root's, 0755. Not thread-safe; after an error the tree is to be
// thrown away.
class LayerWriter {
 public:
  LayerWriter(UniqueFd root, UnpackLimits limits);

  // Adds a member whose content, if it is a file, is read from `content`. INVALID_ARGUMENT for a
  // hostile or malformed member, RESOURCE_EXHAUSTED for limits and a full disk.
  absl::Status Add(const TarEntry& entry, TarReader& content);

  // After the last member: sets the times of the directories, which later members changed.
  absl::Status Finish();

  const DiskUse& use() const { return use_; }

 private:
  absl::Status AddAt(const TarEntry& entry, TarReader& content);
  absl::Status AddRoot(const TarEntry& entry);
  absl::Status AddWhiteout(const LayerPath& path);
  absl::Status AddMember(const LayerPath& path, const TarEntry& entry, TarReader& content);
  absl::Status AddDirectory(const LayerPath& path, const TarEntry& entry);
  absl::Status AddFile(const LayerPath& path, const TarEntry& entry, TarReader& content);
  absl::Status AddHardLink(const LayerPath& path, const TarEntry& entry);
  absl::Status AddSymlink(const LayerPath& path, const TarEntry& entry);
  absl::Status AddNode(const LayerPath& path, const TarEntry& entry);

  absl::Status CountEntry();
  absl::Status Count(const TarEntry& entry);
  // Makes cached_ the directory `parent`, with what is missing of it.
  absl::Status EnterParent(const std::string& parent);
  absl::StatusOr<UniqueFd> MakeParents(const std::string& parent);
  absl::StatusOr<UniqueFd> MakeParent(const UniqueFd& above, const std::string& name,
                                      const std::string& path);
  absl::StatusOr<UniqueFd> MakeImplied(const UniqueFd& above, const std::string& name);
  absl::StatusOr<UniqueFd> OpenLinkTarget(const std::string& target);
  // Makes room for a member that is not a directory.
  absl::Status Clear(const std::string& base);

  UniqueFd root_;
  UnpackLimits limits_;
  UniqueFd cached_;  // the directory that is written to; members come directory by directory
  std::string cached_path_;
  std::map<std::string, timespec> directory_times_;
  uint64_t entries_ = 0;
  uint64_t content_bytes_ = 0;
  DiskUse use_;
};

}  // namespace bulkhead::image

#endif  // BULKHEAD_SHIM_IMAGE_LAYER_WRITER_H_
