#include "runtime/supervisor/takeover.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <set>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"
#include "runtime/supervisor/bootstrap.h"
#include "runtime/supervisor/child_process.h"

namespace bulkhead::supervisor {
namespace {

constexpr int kTrialMilliseconds = 5000;

absl::Status SetCloseOnExec(const std::vector<int>& fds, bool on) {
  for (const int fd : fds) {
    if (fcntl(fd, F_SETFD, on ? FD_CLOEXEC : 0) != 0) {
      return ErrnoStatus(errno, absl::StrCat("descriptor ", fd, " of the state"));
    }
  }
  return absl::OkStatus();
}

int Execute(int program, const std::string& flag, const std::string& state_file,
            const std::string& pod_id) {
  std::string name = "bulkhead-pod";
  char* argv[] = {name.data(), const_cast<char*>(flag.c_str()),
                  const_cast<char*>(state_file.c_str()), const_cast<char*>(pod_id.c_str()),
                  nullptr};
  char* envp[] = {nullptr};
  // Not execveat(3): with the vfork below it must be the bare system call.
  syscall(SYS_execveat, program, "", argv, envp, AT_EMPTY_PATH);
  return errno;
}

// In the child of a vfork: system calls only.
[[noreturn]] void RunTrial(int program, int state_file, int errors, const std::string& flag,
                           const std::string& number) {
  fcntl(state_file, F_SETFD, 0);
  dup2(errors, 2);
  const int error = Execute(program, flag, number, "");
  _exit(error < 126 ? 126 : 127);
}

// A function of its own, so that the vfork clobbers no variable of its caller.
pid_t ForkTrial(int program, int state_file, int errors, const std::string& flag,
                const std::string& number) {
  const pid_t pid = vfork();
  if (pid == 0) RunTrial(program, state_file, errors, flag, number);
  return pid;
}

struct Trial {
  pid_t pid;
  UniqueFd errors;
};

absl::StatusOr<Trial> StartTrial(int program, int state_file) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "pipe");
  UniqueFd reader(ends[0]), writer(ends[1]);
  const std::string flag = kValidateFlag;
  const std::string number = absl::StrCat(state_file);
  const pid_t pid = ForkTrial(program, state_file, writer.get(), flag, number);
  if (pid < 0) return ErrnoStatus(errno, "vfork");
  return Trial{pid, std::move(reader)};
}

// Waits for the child's end and reads what it said.
absl::Status FinishTrial(const Trial& trial) {
  const UniqueFd pidfd(syscall(SYS_pidfd_open, trial.pid, 0));
  pollfd waiting = {.fd = pidfd.get(), .events = POLLIN};
  const bool ended = poll(&waiting, 1, kTrialMilliseconds) == 1;
  if (!ended) kill(trial.pid, SIGKILL);
  siginfo_t info = {};
  waitid(P_PID, trial.pid, &info, WEXITED);
  if (!ended) return absl::DeadlineExceededError("the new program does not end its trial run");
  if (info.si_code == CLD_EXITED && info.si_status == 0) return absl::OkStatus();
  fcntl(trial.errors.get(), F_SETFL, O_NONBLOCK);
  std::array<char, 512> text;
  const ssize_t n = read(trial.errors.get(), text.data(), text.size());
  const absl::string_view said(text.data(), n > 0 ? n : 0);
  return absl::FailedPreconditionError(
      absl::StrCat("the new program cannot take over: ",
                   said.empty() ? "it cannot be executed, or gives no reason" : said, " (status ",
                   info.si_status, ")"));
}

}  // namespace

uint32_t VersionFor(const state::State& state) {
  const auto launching = [](const auto& launched) {
    return launched.process().seccomp_agent() != 0 || launched.process().successor() != 0;
  };
  if (absl::c_any_of(state.containers(), launching) || absl::c_any_of(state.execs(), launching)) {
    return kStateVersionLaunching;
  }
  return state.pod().user_namespace() != 0 ? kStateVersionUserNamespaces : kStateVersion;
}

absl::StatusOr<UniqueFd> WriteState(const state::State& state) {
  UniqueFd fd(memfd_create("bulkhead-state", MFD_CLOEXEC));
  if (!fd.valid()) return ErrnoStatus(errno, "memfd_create for the state");
  const std::string bytes = state.SerializeAsString();
  if (pwrite(fd.get(), bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    return ErrnoStatus(errno == 0 ? ENOSPC : errno, "write the state");
  }
  return fd;
}

absl::StatusOr<state::State> ReadState(int fd) {
  struct stat st;
  if (fstat(fd, &st) != 0) return ErrnoStatus(errno, "fstat of the state");
  const auto bytes = std::make_unique_for_overwrite<char[]>(st.st_size);
  if (pread(fd, bytes.get(), st.st_size, 0) != st.st_size) {
    return ErrnoStatus(errno, "read the state");
  }
  state::State state;
  if (!state.ParseFromArray(bytes.get(), st.st_size)) {
    return absl::InvalidArgumentError("the state is not a State message");
  }
  return state;
}

absl::Status ValidateState(const state::State& state) {
  if (state.version() < kStateVersion || state.version() > kStateVersionLaunching) {
    return absl::FailedPreconditionError(absl::StrCat("the state's version is ", state.version(),
                                                      ", this build knows ", kStateVersion, " to ",
                                                      kStateVersionLaunching));
  }
  if (state.listener() <= 2) return absl::InvalidArgumentError("listener: no descriptor");
  std::set<int> seen;
  for (const int fd : DescriptorsOf(state)) {
    if (fd <= 2 || !seen.insert(fd).second) {
      return absl::InvalidArgumentError(absl::StrCat("descriptor ", fd, " is named twice"));
    }
  }
  return absl::OkStatus();
}

std::vector<int> DescriptorsOf(const state::State& state) {
  std::vector<int> fds = {
      state.listener(),       state.connection().socket(), state.pod().mount_namespace(),
      state.pod().procfs(),   state.pod().null_device(),   state.pod().pid1(),
      state.pod_oom_events(), state.pod().user_namespace()};
  const auto add_process = [&fds](const state::Process& process) {
    fds.insert(fds.end(),
               {process.pidfd(), process.control(), process.seccomp_agent(), process.successor()});
  };
  for (const state::Container& c : state.containers()) {
    add_process(c.process());
    fds.insert(fds.end(), {c.mount_namespace(), c.root(), c.stdin(), c.exit_record(),
                           c.oom_events(), c.log().out(), c.log().err(), c.log().file()});
  }
  for (const state::Exec& exec : state.execs()) {
    add_process(exec.process());
    fds.push_back(exec.terminal());
  }
  fds.insert(fds.end(), state.unreaped().begin(), state.unreaped().end());
  std::erase(fds, 0);
  return fds;
}

absl::Status TryTakeover(int program, int state_file) {
  absl::StatusOr<Trial> trial = StartTrial(program, state_file);
  if (!trial.ok()) return Annotate(trial.status(), "try the new program");
  return FinishTrial(*trial);
}

absl::Status TakeOver(int program, int state_file, const state::State& state) {
  std::vector<int> fds = DescriptorsOf(state);
  fds.push_back(state_file);
  absl::Status status = SetCloseOnExec(fds, false);
  if (status.ok()) {
    const int error = Execute(program, kResumeFlag, absl::StrCat(state_file), state.pod_id());
    status = ErrnoStatus(error, "execute the new program");
  }
  static_cast<void>(SetCloseOnExec(fds, true));
  return status;
}

}  // namespace bulkhead::supervisor
