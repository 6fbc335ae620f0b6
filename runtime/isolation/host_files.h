// The host's own files, which no pod is given for its own.
#ifndef BULKHEAD_RUNTIME_ISOLATION_HOST_FILES_H_
#define BULKHEAD_RUNTIME_ISOLATION_HOST_FILES_H_

#include <sys/stat.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace bulkhead::isolation {

// Known by their identity (device and inode), so that neither a link nor a bind mount hides them.
class HostFiles {
 public:
  // Those of every host, and the trees of `own`; what is not there is passed over.
  explicit HostFiles(const std::vector<std::string>& own);

  // Whether it is one of their directories, such as "/", "/etc" or "/var/lib".
  bool Hold(const struct stat& st) const;
  // INVALID_ARGUMENT for one of them, and for what lies in one whose whole tree is the host's, such
  // as "/etc" or "/usr"; naming it. `fd` may be O_PATH.
  absl::Status CheckNotOf(int fd) const;

 private:
  using Identity = std::pair<dev_t, ino_t>;

  std::set<Identity> trees_;
  std::set<Identity> places_;  // What lies in them may be a pod's.
};

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_HOST_FILES_H_
