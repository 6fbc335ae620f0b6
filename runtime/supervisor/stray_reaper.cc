#include "runtime/supervisor/stray_reaper.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "runtime/kernel/status.h"

namespace bulkhead::supervisor {

StrayReaper::~StrayReaper() {
  loop_.Cancel(retry_);
  loop_.Forget(signals_.get());
}

absl::Status StrayReaper::Start() {
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  if (sigprocmask(SIG_BLOCK, &child, nullptr) != 0) return ErrnoStatus(errno, "block SIGCHLD");
  signals_.reset(signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_.valid()) return ErrnoStatus(errno, "signalfd");
  const absl::Status watched = loop_.Watch(signals_.get(), EPOLLIN, [this](uint32_t) {
    signalfd_siginfo signal;
    while (read(signals_.get(), &signal, sizeof(signal)) > 0) {
    }
    Sweep();
  });
  if (!watched.ok()) return watched;
  // Those that ended before a re-exec.
  Sweep();
  return absl::OkStatus();
}

void StrayReaper::Sweep() {
  loop_.Cancel(retry_);
  retry_ = 0;
  while (true) {
    siginfo_t info = {};
    const int found = waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL);
    if (found != 0 || info.si_pid == 0) return;
    if (info.si_code == CLD_TRAPPED || info.si_code == CLD_STOPPED) {
      // One that made this process its tracer (PTRACE_TRACEME), which is told of each stop whether
      // it asks or not. Taken note of without reaping, it does not hide the others any more.
      if (waitid(P_PID, info.si_pid, &info, WSTOPPED | WNOHANG | __WALL) != 0) return;
      continue;
    }
    if (is_ours_(info.si_pid)) {
      // It hides those behind it. Its pidfd is ready too, so it is gone the next time round.
      retry_ = loop_.After(EventLoop::Clock::duration::zero(), [this] { Sweep(); });
      return;
    }
    if (waitid(P_PID, info.si_pid, &info, WEXITED | WNOHANG | __WALL) != 0) return;
  }
}

}  // namespace bulkhead::supervisor
