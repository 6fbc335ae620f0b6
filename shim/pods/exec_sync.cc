// ExecSync: runs a command in a container and collects its output, bounded in time and size.
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"
#include "shim/pods/captured_output.h"
#include "shim/pods/process_streams.h"
#include "shim/pods/service.h"

namespace bulkhead::pods {
namespace {

using Clock = std::chrono::steady_clock;

// Reads what is there now. False once the pipe is at its end.
bool Drain(int fd, CapturedOutput& output, CapturedOutput::Stream stream) {
  std::array<char, 65536> buffer;
  while (true) {
    const ssize_t count = read(fd, buffer.data(), buffer.size());
    if (count > 0) {
      output.Append(stream, {buffer.data(), static_cast<size_t>(count)});
    } else if (count < 0 && errno == EINTR) {
      continue;
    } else {
      return count < 0 && errno == EAGAIN;
    }
  }
}

int PollTimeout(std::optional<Clock::time_point> deadline) {
  if (!deadline) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - Clock::now());
  return static_cast<int>(std::clamp<int64_t>(left.count(), 0, 1 << 30));
}

// Reads both pipes until the process has ended; true then, false when the deadline passed.
absl::StatusOr<bool> Collect(int out, int err, int ended, std::optional<Clock::time_point> deadline,
                             CapturedOutput& output) {
  std::array<pollfd, 3> fds{{{ended, POLLIN, 0}, {out, POLLIN, 0}, {err, POLLIN, 0}}};
  while (true) {
    const int ready = poll(fds.data(), fds.size(), PollTimeout(deadline));
    if (ready < 0 && errno != EINTR) return ErrnoStatus(errno, "poll");
    if (ready <= 0 && deadline && Clock::now() >= *deadline) return false;
    if (ready <= 0) continue;
    // What was written before the end is in the pipes when the end is told. A background child
    // may hold them open: nobody waits for that.
    const bool over = fds[0].revents != 0;
    for (const auto stream : {CapturedOutput::Stream::kOut, CapturedOutput::Stream::kErr}) {
      pollfd& fd = fds[stream == CapturedOutput::Stream::kOut ? 1 : 2];
      // A negative descriptor is left out by poll.
      if (fd.fd >= 0 && (over || fd.revents != 0) && !Drain(fd.fd, output, stream)) fd.fd = -1;
    }
    if (over) return true;
  }
}

absl::Status TimedOut(std::chrono::seconds timeout) {
  return absl::DeadlineExceededError(
      absl::StrCat("the command did not end within ", timeout.count(), " s and was killed"));
}

}  // namespace

absl::StatusOr<ExecResult> Service::ExecSync(const std::string& id,
                                             const std::vector<std::string>& command,
                                             std::chrono::seconds timeout) {
  std::optional<Clock::time_point> deadline;
  if (timeout.count() > 0) deadline = Clock::now() + timeout;
  const absl::StatusOr<RunningContainer> running = FindRunning(id);
  if (!running.ok()) return running.status();
  absl::StatusOr<Pipe> out = MakePipe(OurEnd::kRead);
  if (!out.ok()) return out.status();
  absl::StatusOr<Pipe> err = MakePipe(OurEnd::kRead);
  if (!err.ok()) return err.status();
  const absl::StatusOr<LaunchedCommand> launched = LaunchCommand(
      *running, command, {.out = out->write.get(), .err = err->write.get()}, deadline);
  if (absl::IsDeadlineExceeded(launched.status()) && deadline && Clock::now() >= *deadline) {
    return TimedOut(timeout);
  }
  if (!launched.ok()) return launched.status();
  out->write.reset();
  err->write.reset();

  CapturedOutput output(options_.exec_output_limit);
  ExecProcess& process = *launched->started.process;
  absl::StatusOr<bool> ended =
      Collect(out->read.get(), err->read.get(), process.ended_fd(), deadline, output);
  if (!ended.ok() || !*ended) {
    const absl::Status killed = KillTimedOut(launched->leaf, process);
    if (ended.ok() && !killed.ok()) ended = killed;
  }
  // A background child lives on in it.
  if (!launched->leaf.empty()) leaves_->Release(launched->leaf);
  if (!ended.ok()) return ended.status();
  if (!*ended) return TimedOut(timeout);
  const absl::StatusOr<supervisor::ExitRecord> exit = process.Result();
  if (!exit.ok()) return exit.status();
  return ExecResult{.standard_output = output.Take(CapturedOutput::Stream::kOut),
                    .standard_error = output.Take(CapturedOutput::Stream::kErr),
                    .exit_code = exit->code()};
}

absl::Status Service::KillTimedOut(const std::string& leaf, ExecProcess& process) {
  if (!leaf.empty()) return host_->KillCgroup(leaf, KillDeadline());
  const absl::Status killed = process.Signal(SIGKILL, options_.answer_bound);
  return absl::IsNotFound(killed) ? absl::OkStatus() : killed;
}

}  // namespace bulkhead::pods
