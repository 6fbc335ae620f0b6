#include "tests/fault/call_tracer.h"

#include <errno.h>
#include <pthread.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace bulkhead::fault {
namespace {

constexpr int kOptions =
    PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
constexpr int kCallStop = SIGTRAP | 0x80;
// Interrupts the tracer's waitpid(2).
constexpr int kWakeUp = SIGUSR1;

void InstallWakeUp() {
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  sigaction(kWakeUp, &action, nullptr);
}

// A call number that no call has: the kernel does nothing.
constexpr unsigned long long kNoCall = ~0ULL;

template <typename Change>
void ChangeRegisters(pid_t pid, Change change) {
  user_regs_struct registers;
  if (ptrace(PTRACE_GETREGS, pid, nullptr, &registers) != 0) return;
  change(registers);
  ptrace(PTRACE_SETREGS, pid, nullptr, &registers);
}

}  // namespace

std::string TracedCall::name() const {
  const std::unique_ptr<char, decltype(&free)> name(
      seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, static_cast<int>(number)), &free);
  return name != nullptr ? name.get() : absl::StrCat("call ", number);
}

std::string TracedCall::ToString() const {
  const char* who = caller == Caller::kChild ? "the child's " : "the supervisor's ";
  std::vector<std::string> texts;
  for (const uint64_t argument : arguments)
    texts.push_back(absl::StrCat("0x", absl::Hex(argument)));
  return absl::StrCat(who, name(), "(", absl::StrJoin(texts, ", "), ")");
}

CallTracer::CallTracer(pid_t supervisor, std::optional<Injection> injection)
    : supervisor_(supervisor), injection_(std::move(injection)) {
  InstallWakeUp();
  thread_ = std::thread([this] {
    Run();
    ended_.set_value();
  });
  if (const int error = attached_.get_future().get(); error != 0) {
    Stop();
    throw std::runtime_error(absl::StrCat("trace ", supervisor, ": ", strerror(error)));
  }
}

CallTracer::~CallTracer() { Stop(); }

void CallTracer::Stop() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  // Again and again, as one signal may come just before it waits.
  const std::future<void> ended = ended_.get_future();
  while (ended.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) {
    pthread_kill(thread_.native_handle(), kWakeUp);
  }
  // The end of the tracing thread lets go of all that it traces.
  thread_.join();
}

void CallTracer::Run() {
  if (ptrace(PTRACE_SEIZE, supervisor_, nullptr, kOptions) != 0 ||
      ptrace(PTRACE_INTERRUPT, supervisor_, nullptr, nullptr) != 0) {
    return attached_.set_value(errno);
  }
  bool told = false;
  while (!stopping_) {
    int status = 0;
    // Only what this thread traces, not the children that others of the program wait for.
    const pid_t pid = waitpid(-1, &status, __WALL | __WNOTHREAD);
    if (pid < 0 && errno == EINTR) continue;
    if (pid < 0) break;
    if (WIFSTOPPED(status)) OnStop(pid, status);
    if (!told) attached_.set_value(0);
    told = true;
  }
  if (!told) attached_.set_value(ESRCH);
}

void CallTracer::OnStop(pid_t pid, int status) {
  const int signal = WSTOPSIG(status);
  const int event = status >> 16;
  // What it executes is the container's.
  if (event == PTRACE_EVENT_EXEC) return LetGo(pid);
  if (signal == kCallStop) return OnCall(pid, tracees_[pid]);
  ptrace(PTRACE_SYSCALL, pid, nullptr, event != 0 ? 0 : signal);
}

void CallTracer::OnCall(pid_t pid, Tracee& tracee) {
  __ptrace_syscall_info info;
  if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0) return;
  // Whoever waits for its end could not reap it while it is traced.
  const bool entry = info.op == PTRACE_SYSCALL_INFO_ENTRY;
  if (entry && info.entry.nr == SYS_exit_group) return LetGo(pid);
  if (entry) {
    TracedCall call{.caller = pid == supervisor_ ? Caller::kSupervisor : Caller::kChild,
                    .number = info.entry.nr};
    std::copy_n(std::begin(info.entry.args), call.arguments.size(), call.arguments.begin());
    Enter(pid, tracee, call);
  } else if (std::exchange(tracee.failing, false)) {
    ChangeRegisters(pid,
                    [this](user_regs_struct& registers) { registers.rax = -injection_->error; });
  }
  ptrace(PTRACE_SYSCALL, pid, nullptr, nullptr);
}

void CallTracer::Enter(pid_t pid, Tracee& tracee, const TracedCall& call) {
  if (!injection_ || !injection_->counts(call) || counted_++ != injection_->at) return;
  failed_ = call;
  tracee.failing = true;
  ChangeRegisters(pid, [](user_regs_struct& registers) { registers.orig_rax = kNoCall; });
}

void CallTracer::LetGo(pid_t pid) {
  tracees_.erase(pid);
  ptrace(PTRACE_DETACH, pid, nullptr, nullptr);
}

}  // namespace bulkhead::fault
