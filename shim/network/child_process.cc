#include "shim/network/child_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/status.h"

namespace bulkhead::network {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kQuoted = 512;

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

absl::StatusOr<Pipe> MakePipe() {
  std::array<int, 2> fds;
  if (pipe2(fds.data(), O_CLOEXEC) != 0) return ErrnoStatus(errno, "create a pipe");
  Pipe pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
  // Only our end, so that reading what a dead child left never waits for its own children.
  if (fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK) != 0) return ErrnoStatus(errno, "fcntl");
  return pipe;
}

// A memfd rather than a pipe: nothing to feed while the child runs, and no SIGPIPE from a child
// that does not read.
absl::StatusOr<UniqueFd> MakeInput(std::string_view text) {
  UniqueFd fd(memfd_create("input", MFD_CLOEXEC));
  if (!fd.valid()) return ErrnoStatus(errno, "memfd_create");
  while (!text.empty()) {
    const ssize_t written = write(fd.get(), text.data(), text.size());
    if (written < 0) return ErrnoStatus(errno, "write the input");
    text.remove_prefix(static_cast<size_t>(written));
  }
  if (lseek(fd.get(), 0, SEEK_SET) != 0) return ErrnoStatus(errno, "lseek");
  return fd;
}

// The two attribute objects of posix_spawn(3). Their functions report only ENOMEM here.
class SpawnSettings {
 public:
  SpawnSettings(int input, int output, int error) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_adddup2(&actions_, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, error, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
    posix_spawnattr_init(&attributes_);
    sigset_t signals;
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(&attributes_, &signals);
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes_, &signals);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
  ~SpawnSettings() {
    posix_spawnattr_destroy(&attributes_);
    posix_spawn_file_actions_destroy(&actions_);
  }
  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

// A started child. The destructor kills its group and reaps it if nobody did.
class Running {
 public:
  explicit Running(pid_t pid) : pid_(pid) {}
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() {
    if (pid_ <= 0) return;
    // Not reaped yet, so neither the pid nor the group's number can be another's.
    kill(-pid_, SIGKILL);
    Reap();
  }

  absl::Status Open() {
    pidfd_.reset(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
    return pidfd_.valid() ? absl::OkStatus() : ErrnoStatus(errno, "pidfd_open");
  }
  int pidfd() const { return pidfd_.get(); }

  // Waits for the child to end. All zero if another part of the process reaped it.
  siginfo_t Reap() {
    siginfo_t info{};
    while (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED) != 0 && errno == EINTR) {
    }
    pid_ = 0;
    return info;
  }

 private:
  pid_t pid_;
  UniqueFd pidfd_;
};

// Reads what is there now. False at the end of the file.
bool Drain(int fd, size_t limit, std::string& text) {
  std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t size = read(fd, buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno == EAGAIN;
    if (size == 0) return false;
    const size_t room = limit > text.size() ? limit - text.size() : 0;
    text.append(buffer.data(), std::min(static_cast<size_t>(size), room));
    if (static_cast<size_t>(size) > room) return true;
  }
}

// Collects the output of a running child until it ends.
class Collector {
 public:
  Collector(const ChildProcess& child, int output, int error, int pidfd)
      : child_(child),
        polled_{{{pidfd, POLLIN, 0},
                 {child.cancel_fd, POLLIN, 0},
                 {output, POLLIN, 0},
                 {error, POLLIN, 0}}} {}

  absl::Status Run(ChildResult& result) {
    const Clock::time_point deadline = Clock::now() + child_.timeout;
    for (;;) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
      const int ready = poll(polled_.data(), polled_.size(), static_cast<int>(std::max(left, 0L)));
      if (ready < 0 && errno != EINTR) return ErrnoStatus(errno, "poll");
      if (ready == 0) {
        return absl::DeadlineExceededError(
            absl::StrCat("did not end within ", child_.timeout.count(), " ms and was killed"));
      }
      if (ready < 0) continue;
      const absl::Status status = Collect(result);
      if (!status.ok() || polled_[0].revents != 0) return status;
    }
  }

 private:
  absl::Status Collect(ChildResult& result) {
    if (polled_[1].revents != 0) return absl::CancelledError("was cancelled");
    // One byte over the limit tells too much from just enough.
    Take(polled_[2], child_.output_limit + 1, result.output);
    Take(polled_[3], child_.error_limit, result.error);
    if (result.output.size() > child_.output_limit) {
      return absl::ResourceExhaustedError(
          absl::StrCat("wrote more than ", child_.output_limit, " bytes and was killed"));
    }
    return absl::OkStatus();
  }

  // The pipes are read on every round: when the child has ended, what it wrote is all there.
  static void Take(pollfd& stream, size_t limit, std::string& text) {
    if (stream.fd >= 0 && !Drain(stream.fd, limit, text)) stream.fd = -1;
  }

  const ChildProcess& child_;
  std::array<pollfd, 4> polled_;  // The child's end, cancellation, output, errors.
};

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (const std::string& text : strings) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

absl::StatusOr<pid_t> Spawn(const ChildProcess& child, const SpawnSettings& settings) {
  std::vector<std::string> words = {child.name.empty() ? child.program : child.name};
  words.insert(words.end(), child.arguments.begin(), child.arguments.end());
  const std::vector<char*> arguments = Pointers(words);
  const std::vector<char*> environment = Pointers(child.environment);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, child.program.c_str(), settings.actions(),
                                settings.attributes(), arguments.data(), environment.data());
  if (error != 0) return ErrnoStatus(error, absl::StrCat("execute ", child.program));
  return pid;
}

}  // namespace

absl::StatusOr<ChildResult> RunChild(const ChildProcess& child) {
  absl::StatusOr<UniqueFd> input = MakeInput(child.input);
  if (!input.ok()) return input.status();
  absl::StatusOr<Pipe> output = MakePipe();
  if (!output.ok()) return output.status();
  absl::StatusOr<Pipe> error = MakePipe();
  if (!error.ok()) return error.status();
  const absl::StatusOr<pid_t> pid =
      Spawn(child, SpawnSettings(input->get(), output->write.get(), error->write.get()));
  if (!pid.ok()) return pid.status();
  Running running(*pid);
  input->reset();
  output->write.reset();
  error->write.reset();
  absl::Status status = running.Open();
  ChildResult result;
  if (status.ok()) {
    status = Collector(child, output->read.get(), error->read.get(), running.pidfd()).Run(result);
  }
  if (!status.ok()) return Annotate(status, child.program);
  const siginfo_t info = running.Reap();
  result.exited = info.si_code == CLD_EXITED;
  result.code = info.si_status;
  return result;
}

std::string HowItEnded(const ChildResult& result) {
  return absl::StrCat(result.exited ? "exit status " : "signal ", result.code);
}

std::string LastWords(const std::string& text) {
  std::string tail(absl::StripAsciiWhitespace(text));
  if (tail.size() > kQuoted) tail = "..." + tail.substr(tail.size() - kQuoted);
  for (char& c : tail) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return tail;
}

}  // namespace bulkhead::network
