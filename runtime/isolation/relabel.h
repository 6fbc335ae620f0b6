// SELinux labels of files that containers are given.
#ifndef BULKHEAD_RUNTIME_ISOLATION_RELABEL_H_
#define BULKHEAD_RUNTIME_ISOLATION_RELABEL_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace bulkhead::isolation {

// Gives a file or directory (any descriptor of it, also O_PATH), and everything below it, an
// SELinux context; itself last, so that a tree which bears it was done. No symbolic link is
// followed, and what is mounted below keeps its own. A file system without labels of its own stays
// as it is: the policy decides who may use it. INVALID_ARGUMENT for a directory that the host lives
// on (IsOfTheHost).
absl::Status RelabelTree(int fd, const std::string& label);

// Whether a path without links is one that no pod can be given for its own, such as "/", "/etc" or
// "/var/lib".
bool IsOfTheHost(std::string_view path);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_RELABEL_H_
