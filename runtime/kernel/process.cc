#include "runtime/kernel/process.h"

#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "runtime/kernel/status.h"

namespace bulkhead {
namespace {

// glibc 2.36 declares its own wrapper without C linkage.
int PidfdSendSignal(int pidfd, int signal) {
  return static_cast<int>(syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0));
}

}  // namespace

absl::StatusOr<CloneResult> Clone(uint64_t flags, int cgroup) {
  int pidfd = -1;
  clone_args args = {};
  args.flags = flags | CLONE_PIDFD;
  args.pidfd = reinterpret_cast<uintptr_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  if (cgroup >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = cgroup;
  }
  const long pid = syscall(SYS_clone3, &args, sizeof(args));
  if (pid < 0) return ErrnoStatus(errno, "clone3");
  if (pid == 0) return CloneResult{};
  return CloneResult{static_cast<pid_t>(pid), UniqueFd(pidfd)};
}

absl::Status SendSignal(int pidfd, int signal) {
  if (PidfdSendSignal(pidfd, signal) == 0) return absl::OkStatus();
  if (errno == ESRCH) return absl::NotFoundError("the process has ended");
  return ErrnoStatus(errno, "pidfd_send_signal");
}

void KillAndReap(int pidfd) {
  PidfdSendSignal(pidfd, SIGKILL);
  siginfo_t info;
  while (waitid(P_PIDFD, pidfd, &info, WEXITED) != 0 && errno == EINTR) {
  }
}

}  // namespace bulkhead
