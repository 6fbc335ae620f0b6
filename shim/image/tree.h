#ifndef BULKHEAD_SHIM_IMAGE_TREE_H_
#define BULKHEAD_SHIM_IMAGE_TREE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::image {

// Opens `path` below `dir` without ever leaving it: openat2(2) with RESOLVE_BENEATH, no magic
// links, no other mounts. A path that leads out fails with EXDEV (see ErrnoOf). "" is `dir`.
absl::StatusOr<UniqueFd> OpenBeneath(int dir, const std::string& path, int flags);

// Removes entry `name` of `dir` and everything below it; absent is OK. Follows nothing, needs a
// constant number of descriptors and no recursion however deep the tree is.
absl::Status RemoveTree(int dir, const std::string& name);

}  // namespace bulkhead::image

#endif  // BULKHEAD_SHIM_IMAGE_TREE_H_
