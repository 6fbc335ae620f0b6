// SELinux labels of files that containers are given.
#ifndef BULKHEAD_RUNTIME_ISOLATION_RELABEL_H_
#define BULKHEAD_RUNTIME_ISOLATION_RELABEL_H_

#include <cstddef>
#include <functional>
#include <limits>
#include <string>

#include "absl/status/status.h"
#include "runtime/isolation/host_files.h"

namespace bulkhead::isolation {

struct RelabelOptions {
  // Not to be touched, wherever they are met: INVALID_ARGUMENT. Borrowed; null: all may be.
  const HostFiles* spared = nullptr;
  // INVALID_ARGUMENT for a tree with more directories below one another: each is a descriptor while
  // those below it are done.
  size_t max_depth = std::numeric_limits<size_t>::max();
  // Asked before each file; once true: CANCELLED, the tree half done. Null: never.
  std::function<bool()> stopped;
};

// Gives a file or directory (any descriptor of it, also O_PATH), and everything below it, an
// SELinux context; itself last, so that a tree which bears it was done. No symbolic link is
// followed, and what is mounted below keeps its own. A file system without labels of its own stays
// as it is: the policy decides who may use it.
absl::Status RelabelTree(int fd, const std::string& label, const RelabelOptions& options = {});

// Of one file; empty: it has none.
std::string ReadLabel(int fd);
absl::Status SetLabel(int fd, const std::string& label);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_RELABEL_H_
