#include "tests/unit/streaming/process_target.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/kernel/status.h"

namespace bulkhead::streaming {
namespace {

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Pipe MakePipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) abort();
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

void SetNonBlocking(const UniqueFd& fd) {
  if (fd.valid()) fcntl(fd.get(), F_SETFL, fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
}

// What execvp takes of `command`.
std::vector<char*> ArgumentsOf(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  return arguments;
}

// Runs in the child of a process with threads: allocates nothing, as another thread may have
// held the allocator's lock at the fork.
[[noreturn]] void Become(char* const* arguments, int in, int out, int err, bool terminal) {
  setsid();
  if (terminal) ioctl(in, TIOCSCTTY, 0);
  dup2(in, 0);
  dup2(out, 1);
  dup2(err, 2);
  signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execvp(arguments[0], arguments);
  _exit(127);
}

}  // namespace

class ChildProcess final : public pods::AttachedProcess {
 public:
  ChildProcess(ProcessTarget& target, const std::vector<std::string>& command,
               const pods::StreamSelection& streams)
      : target_(target), terminal_(streams.terminal) {
    ++target_.running;
    if (terminal_) {
      StartOnTerminal(command);
    } else {
      StartOnPipes(command, streams);
    }
    for (UniqueFd* fd : {&streams_.in, &streams_.out, &streams_.err}) SetNonBlocking(*fd);
    pidfd_.reset(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  }

  ~ChildProcess() override {
    if (!reaped_) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    --target_.running;
  }

  pods::ProcessStreams TakeStreams() override { return std::move(streams_); }

  absl::Status Resize(const pods::TerminalSize& size) override {
    if (!terminal_) return absl::FailedPreconditionError("no terminal");
    const winsize terminal = {.ws_row = size.height, .ws_col = size.width};
    ioctl(master_.get(), TIOCSWINSZ, &terminal);
    const std::lock_guard lock(target_.mutex_);
    target_.sizes_.push_back(size);
    return absl::OkStatus();
  }

  int ended_fd() const override { return pidfd_.get(); }

  absl::StatusOr<int32_t> ExitCode() override {
    int status = 0;
    if (waitpid(pid_, &status, 0) != pid_) return ErrnoStatus(errno, "waitpid");
    reaped_ = true;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  void StartOnTerminal(const std::vector<std::string>& command) {
    int master, peer;
    if (openpty(&master, &peer, nullptr, nullptr, nullptr) != 0) abort();
    fcntl(master, F_SETFD, FD_CLOEXEC);
    fcntl(peer, F_SETFD, FD_CLOEXEC);
    master_.reset(master);
    const UniqueFd owned_peer(peer);
    const std::vector<char*> arguments = ArgumentsOf(command);
    pid_ = fork();
    if (pid_ == 0) Become(arguments.data(), peer, peer, peer, true);
    streams_.in.reset(fcntl(master, F_DUPFD_CLOEXEC, 0));
    streams_.out.reset(fcntl(master, F_DUPFD_CLOEXEC, 0));
  }

  void StartOnPipes(const std::vector<std::string>& command, const pods::StreamSelection& streams) {
    Pipe in = MakePipe(), out = MakePipe(), err = MakePipe();
    const std::vector<char*> arguments = ArgumentsOf(command);
    pid_ = fork();
    if (pid_ == 0) {
      Become(arguments.data(), in.read.get(), out.write.get(), err.write.get(), false);
    }
    if (streams.standard_input) streams_.in = std::move(in.write);
    if (streams.standard_output) streams_.out = std::move(out.read);
    if (streams.standard_error) streams_.err = std::move(err.read);
  }

  ProcessTarget& target_;
  const bool terminal_;
  pid_t pid_ = -1;
  bool reaped_ = false;
  UniqueFd pidfd_;
  UniqueFd master_;
  pods::ProcessStreams streams_;
};

absl::Status ProcessTarget::CheckContainer(const std::string& container_id) {
  if (container_id == "none") return absl::NotFoundError("container \"none\" not found");
  return absl::OkStatus();
}

absl::Status ProcessTarget::CheckPod(const std::string& pod_id) { return CheckContainer(pod_id); }

absl::StatusOr<std::unique_ptr<pods::AttachedProcess>> ProcessTarget::Exec(
    const std::string& container_id, const std::vector<std::string>& command,
    const pods::StreamSelection& streams) {
  HangIf(container_id);
  if (container_id == "broken") return absl::InternalError("the supervisor is gone");
  return std::make_unique<ChildProcess>(*this, command, streams);
}

absl::StatusOr<std::unique_ptr<pods::AttachedProcess>> ProcessTarget::Attach(
    const std::string&, const pods::StreamSelection& streams) {
  return std::make_unique<ChildProcess>(*this, std::vector<std::string>{"sh", "-c", attach_script},
                                        streams);
}

void ProcessTarget::HangIf(const std::string& id) {
  ++calls;
  if (id != "hung" || let_go_) return;
  ++hanging;
  let_go_.wait(false);
  --hanging;
}

void ProcessTarget::LetGo() {
  let_go_ = true;
  let_go_.notify_all();
}

absl::StatusOr<UniqueFd> ProcessTarget::Connect(const std::string& pod_id, uint16_t port) {
  HangIf(pod_id);
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return ErrnoStatus(errno, "connect");
  }
  SetNonBlocking(socket);
  return socket;
}

std::vector<pods::TerminalSize> ProcessTarget::sizes() const {
  const std::lock_guard lock(mutex_);
  return sizes_;
}

}  // namespace bulkhead::streaming
