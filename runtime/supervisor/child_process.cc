#include "runtime/supervisor/child_process.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <utility>

#include "runtime/kernel/status.h"
#include "runtime/supervisor/saved_fd.h"

namespace bulkhead::supervisor {
namespace {

// From linux/wait.h; glibc names it only in newer versions.
constexpr auto kPidfd = static_cast<idtype_t>(3);

}  // namespace

absl::StatusOr<Ended> Reap(int pidfd) {
  siginfo_t info = {};
  if (waitid(kPidfd, pidfd, &info, WEXITED | WNOHANG) != 0) return ErrnoStatus(errno, "waitid");
  if (info.si_pid == 0) return absl::UnavailableError("the process runs");
  if (info.si_code == CLD_EXITED) return Ended{.code = info.si_status};
  return Ended{.code = 128 + info.si_status, .signal = info.si_status};
}

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Watch(
    EventLoop& loop, isolation::LaunchedProcess launched, Stage stage, Handlers handlers) {
  std::unique_ptr<ChildProcess> child(
      new ChildProcess(loop, std::move(launched), stage, std::move(handlers)));
  ChildProcess* raw = child.get();
  absl::Status status = raw->WatchPidfd();
  if (status.ok() && raw->control_.valid()) {
    status = loop.Watch(raw->control_.get(), EPOLLIN, [raw](uint32_t) { raw->OnControl(); });
  }
  if (status.ok()) return child;
  raw->Kill();
  return status;
}

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Restore(EventLoop& loop,
                                                                    const state::Process& state,
                                                                    Handlers handlers) {
  SharedPid successor;
  if (state.successor() > 0) {
    absl::StatusOr<SharedPid> opened = SharedPid::Open(UniqueFd(state.successor()));
    if (!opened.ok()) return opened.status();
    successor = *std::move(opened);
  }
  isolation::LaunchedProcess launched{.pid = state.pid(),
                                      .pidfd = UniqueFd(state.pidfd()),
                                      .control = RestoreFd(state.control()),
                                      .agent = {.connection = RestoreFd(state.seccomp_agent()),
                                                .process_state = state.process_state()},
                                      .successor = std::move(successor)};
  return Watch(loop, std::move(launched), state.stage(), std::move(handlers));
}

ChildProcess::ChildProcess(EventLoop& loop, isolation::LaunchedProcess launched, Stage stage,
                           Handlers handlers)
    : loop_(loop),
      pid_(launched.pid),
      pidfd_(std::move(launched.pidfd)),
      control_(std::move(launched.control)),
      agent_(std::move(launched.agent)),
      successor_(std::move(launched.successor)),
      stage_(stage),
      handlers_(std::move(handlers)) {}

ChildProcess::~ChildProcess() {
  *alive_ = false;
  CloseControl();
  loop_.Forget(pidfd_.get());
}

state::Process ChildProcess::Save() const {
  state::Process state;
  state.set_pid(pid_);
  state.set_pidfd(pidfd_.get());
  state.set_control(SaveFd(control_.get()));
  state.set_successor(SaveFd(successor_.file()));
  state.set_stage(stage_);
  state.set_seccomp_agent(SaveFd(agent_.connection.get()));
  state.set_process_state(agent_.process_state);
  return state;
}

absl::Status ChildProcess::Release() {
  if (stage_ != state::Process::READY) {
    return absl::FailedPreconditionError("the process is not ready to be released");
  }
  stage_ = state::Process::RELEASED;
  return isolation::Release(control_.get());
}

absl::Status ChildProcess::Signal(int signal) {
  if (signal == SIGKILL) killed_ = true;
  // Not reaped, it is no other's number.
  if (const pid_t successor = successor_.Get(); successor != 0) {
    if (kill(successor, signal) == 0) return absl::OkStatus();
    return ErrnoStatus(errno, "kill");
  }
  if (syscall(SYS_pidfd_send_signal, pidfd_.get(), signal, nullptr, 0) == 0) {
    return absl::OkStatus();
  }
  if (errno == ESRCH) return absl::NotFoundError("the process has ended");
  return ErrnoStatus(errno, "pidfd_send_signal");
}

UniqueFd ChildProcess::Abandon() {
  CloseControl();
  loop_.Forget(pidfd_.get());
  return std::move(pidfd_);
}

void ChildProcess::CloseControl() {
  loop_.Forget(control_.get());
  control_.reset();
}

absl::Status ChildProcess::WatchPidfd() {
  return loop_.Watch(pidfd_.get(), kEndEvents, [this](uint32_t) { OnPidfd(); });
}

// Nobody would learn of its end.
void ChildProcess::Kill() {
  kill(pid_, SIGKILL);
  if (!successor_.valid()) return;
  // Then it makes none any more.
  siginfo_t info;
  while (waitid(P_PID, pid_, &info, WEXITED) != 0 && errno == EINTR) {
  }
  if (successor_.Get() != 0) kill(successor_.Get(), SIGKILL);
}

absl::Status ChildProcess::Follow() {
  const pid_t pid = successor_.Get();
  if (pid == 0) return absl::OkStatus();
  loop_.Forget(pidfd_.get());
  successor_ = SharedPid();
  pid_ = pid;
  // Not reaped, it is no other's number.
  pidfd_.reset(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  absl::Status status = pidfd_.valid() ? WatchPidfd() : ErrnoStatus(errno, "pidfd_open");
  // Its predecessor was killed when it had made it, but not yet told its number.
  if (!status.ok() || killed_) kill(pid, SIGKILL);
  return status;
}

void ChildProcess::Lose(const absl::Status& why) {
  const std::shared_ptr<bool> alive = alive_;
  Fail(why);
  if (*alive)
    std::exchange(handlers_.on_end, nullptr)(Ended{.code = 128 + SIGKILL, .signal = SIGKILL});
}

void ChildProcess::OnControl() {
  if (absl::Status status = Follow(); !status.ok()) return Lose(status);
  const absl::StatusOr<isolation::LaunchProgress> progress =
      isolation::ReceiveReport(control_.get());
  if (!progress.ok()) return Fail(progress.status());
  switch (*progress) {
    case isolation::LaunchProgress::kNothing:
      return;
    case isolation::LaunchProgress::kListening:
      return OnListening();
    case isolation::LaunchProgress::kReady:
      if (stage_ != state::Process::PREPARING) return;
      stage_ = state::Process::READY;
      return std::exchange(handlers_.on_ready, nullptr)(absl::OkStatus());
    case isolation::LaunchProgress::kClosed:
      if (stage_ != state::Process::RELEASED || successor_.valid()) {
        return Fail(absl::AbortedError("the process was killed before it ran its program"));
      }
      CloseControl();
      stage_ = state::Process::EXECUTED;
      return std::exchange(handlers_.on_executed, nullptr)(absl::OkStatus());
  }
}

void ChildProcess::OnListening() {
  absl::Status status = isolation::HandOverListener(pidfd_.get(), std::exchange(agent_, {}));
  if (status.ok()) status = isolation::ConfirmListener(control_.get());
  if (!status.ok()) Fail(status);
}

void ChildProcess::Fail(const absl::Status& status) {
  CloseControl();
  const Stage failed_at = stage_;
  stage_ = state::Process::EXECUTED;
  if (failed_at == state::Process::PREPARING)
    return std::exchange(handlers_.on_ready, nullptr)(status);
  // Killed while it waited: its end is all there is to tell.
  if (failed_at == state::Process::READY) return;
  std::exchange(handlers_.on_executed, nullptr)(status);
}

void ChildProcess::OnPidfd() {
  const std::shared_ptr<bool> alive = alive_;
  if (successor_.Get() != 0) return OnControl();
  // What it said last comes before its end.
  while (*alive && control_.valid()) {
    const Stage before = stage_;
    OnControl();
    if (*alive && control_.valid() && stage_ == before) CloseControl();
  }
  if (!*alive) return;
  const absl::StatusOr<Ended> ended = Reap(pidfd_.get());
  if (absl::IsUnavailable(ended.status())) return;
  loop_.Forget(pidfd_.get());
  // Reaped by nobody else, so that an error leaves only "unknown", which must not look like 0.
  std::exchange(handlers_.on_end, nullptr)(ended.ok() ? *ended : Ended{.code = 255});
}

Graveyard::~Graveyard() {
  for (const auto& [fd, pidfd] : pidfds_) loop_.Forget(fd);
}

void Graveyard::Add(UniqueFd pidfd) {
  if (!pidfd.valid()) return;
  const int fd = pidfd.get();
  pidfds_[fd] = std::move(pidfd);
  const absl::Status watched = loop_.Watch(fd, kEndEvents, [this, fd](uint32_t) {
    if (absl::IsUnavailable(Reap(fd).status())) return;
    loop_.Forget(fd);
    pidfds_.erase(fd);
  });
  // Not watched, it stays a zombie until the supervisor ends; the pod is not worse off.
  if (!watched.ok()) pidfds_.erase(fd);
}

void Graveyard::Save(state::State& state) const {
  for (const auto& [fd, pidfd] : pidfds_) state.add_unreaped(fd);
}

}  // namespace bulkhead::supervisor
