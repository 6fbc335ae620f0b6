#ifndef BULKHEAD_RUNTIME_KERNEL_PROCESS_LOCK_H_
#define BULKHEAD_RUNTIME_KERNEL_PROCESS_LOCK_H_

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"

namespace bulkhead {

// A file locked for this process by fcntl(F_SETLK), until the descriptor is closed or the process
// ends however it does. Not flock(2): a child that is between clone and exec when its parent dies
// would go on holding that. The process must open the file nowhere else (fcntl_locking(2): closing
// any of its descriptors gives the lock back), and does not exclude itself.
struct ProcessLock {
  UniqueFd fd;       // Invalid when another process has the lock:
  pid_t holder = 0;  // that one; 0 when it is in a PID namespace that cannot be seen from here.
};

// Makes the file, 0600, if it is missing.
absl::StatusOr<ProcessLock> LockForProcess(const std::string& path);

}  // namespace bulkhead

#endif  // BULKHEAD_RUNTIME_KERNEL_PROCESS_LOCK_H_
