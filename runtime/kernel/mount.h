// Mounts as descriptors: open_tree(2), fsopen(2), mount_setattr(2), move_mount(2). Linux 5.12 has
// all of them; where one is missing the error says so, nothing is done in a weaker way.
#ifndef BULKHEAD_RUNTIME_KERNEL_MOUNT_H_
#define BULKHEAD_RUNTIME_KERNEL_MOUNT_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"

namespace bulkhead {

enum class TreeDepth { kOneMount, kRecursive };

// A detached copy of the mount that `path` (relative to `directory`, or the descriptor itself when
// empty) lies on, with `path` as its root. Symbolic links are followed. Freed on close.
absl::StatusOr<UniqueFd> CloneTree(int directory, const std::string& path, TreeDepth depth);

// fsconfig(2) keys in order; an empty value is a flag.
using FilesystemOptions = std::vector<std::pair<std::string, std::string>>;

// `options` and, unless it is empty, the SELinux context of all files in the file system.
FilesystemOptions Labelled(FilesystemOptions options, const std::string& label);

// A detached mount of a new instance of a file system type. `attributes` are MOUNT_ATTR_* bits.
// An error carries what the kernel logged about it.
absl::StatusOr<UniqueFd> NewFilesystem(const std::string& type, const FilesystemOptions& options,
                                       uint64_t attributes);

struct MountChange {
  uint64_t set = 0;  // MOUNT_ATTR_* bits.
  uint64_t clear = 0;
  uint64_t propagation = 0;  // MS_PRIVATE, MS_SLAVE, MS_SHARED, or 0: as it is.
  int user_namespace = -1;   // With MOUNT_ATTR_IDMAP in `set`.
};

// mount_setattr(2) on the mount that `mount` (a descriptor of its root) refers to.
absl::Status ChangeMount(int mount, const MountChange& change, TreeDepth depth);

// Attaches a detached mount at the directory or file that `target` refers to.
absl::Status AttachMount(int mount, int target);

// Takes the mount at `path` off its place, with everything below it; what is still in use is freed
// when it is not any more (MNT_DETACH).
absl::Status DetachMountAt(const std::string& path);

// Makes the mount at `root` (a descriptor) the root of the calling thread's mount namespace and
// detaches the old one.
absl::Status PivotInto(int root);

}  // namespace bulkhead

#endif  // BULKHEAD_RUNTIME_KERNEL_MOUNT_H_
