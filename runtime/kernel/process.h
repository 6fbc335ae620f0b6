#ifndef BULKHEAD_RUNTIME_KERNEL_PROCESS_H_
#define BULKHEAD_RUNTIME_KERNEL_PROCESS_H_

#include <sys/types.h>

#include <cstdint>

#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"

namespace bulkhead {

struct CloneResult {
  pid_t pid = 0;  // 0 in the child.
  UniqueFd pidfd;
};

// clone3(2) as fork(2) does it, with CLONE_* `flags` and, unless -1, CLONE_INTO_CGROUP of the
// directory `cgroup`. The child has the calling thread only and shares no memory; until it
// executes it must keep to system calls, because another thread may have held a lock of libc.
// setresuid(2) and its like must be called through syscall(2) there: libc would signal threads
// that do not exist.
absl::StatusOr<CloneResult> Clone(uint64_t flags, int cgroup);

// pidfd_send_signal(2). NOT_FOUND when the process has ended.
absl::Status SendSignal(int pidfd, int signal);

// Ends the child with SIGKILL and reaps it.
void KillAndReap(int pidfd);

}  // namespace bulkhead

#endif  // BULKHEAD_RUNTIME_KERNEL_PROCESS_H_
