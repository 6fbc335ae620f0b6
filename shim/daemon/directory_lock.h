#ifndef BULKHEAD_SHIM_DAEMON_DIRECTORY_LOCK_H_
#define BULKHEAD_SHIM_DAEMON_DIRECTORY_LOCK_H_

#include <string>

#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::daemon {

// Keeps a directory for one daemon, by a lock on the file "lock" in it, until it is destroyed or
// the process ends however it does.
class DirectoryLock {
 public:
  // Makes the directory, 0711, if it is missing. FAILED_PRECONDITION with the other one's pid when
  // a daemon has it.
  static absl::StatusOr<DirectoryLock> Take(const std::string& directory);

 private:
  explicit DirectoryLock(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

}  // namespace bulkhead::daemon

#endif  // BULKHEAD_SHIM_DAEMON_DIRECTORY_LOCK_H_
