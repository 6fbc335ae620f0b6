// A tracer of a supervisor and of the processes that it launches, which lets one chosen system
// call of theirs fail (ptrace(2)). seccomp's notification would need a filter in each process,
// strace counts each kind of call apart; here every call in its turn is one number.
#ifndef BULKHEAD_TESTS_FAULT_CALL_TRACER_H_
#define BULKHEAD_TESTS_FAULT_CALL_TRACER_H_

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <future>
#include <map>
#include <optional>
#include <string>
#include <thread>

namespace bulkhead::fault {

// Who makes a call: the process that is traced, or one that it made, until that executes.
enum class Caller { kSupervisor, kChild };

struct TracedCall {
  Caller caller = Caller::kSupervisor;
  uint64_t number = 0;
  std::array<uint64_t, 6> arguments = {};

  std::string name() const;
  // Such as "prctl(0x18, 0x5)", for a failure's text.
  std::string ToString() const;
};

// The call that fails: the `at`-th, from 0, of those that `counts` says yes to. The kernel does not
// see it.
struct Injection {
  std::function<bool(const TracedCall&)> counts;
  size_t at = 0;
  int error = 0;
};

class CallTracer {
 public:
  // Traces from the return on. Throws when the process cannot be traced.
  explicit CallTracer(pid_t supervisor, std::optional<Injection> injection = {});
  ~CallTracer();
  CallTracer(const CallTracer&) = delete;
  CallTracer& operator=(const CallTracer&) = delete;

  // Ends the tracing. What still runs goes on untraced.
  void Stop();

  // After Stop: the one that was made to fail; none when there were fewer calls.
  const std::optional<TracedCall>& failed() const { return failed_; }

 private:
  struct Tracee {
    bool failing = false;
  };

  // ptrace(2) is of one thread: all of these are called in thread_.
  void Run();
  void OnStop(pid_t pid, int status);
  void OnCall(pid_t pid, Tracee& tracee);
  void Enter(pid_t pid, Tracee& tracee, const TracedCall& call);
  void LetGo(pid_t pid);

  const pid_t supervisor_;
  const std::optional<Injection> injection_;
  std::map<pid_t, Tracee> tracees_;
  size_t counted_ = 0;
  std::optional<TracedCall> failed_;
  std::atomic<bool> stopping_ = false;
  std::promise<int> attached_;  // An errno, 0 once it is.
  std::promise<void> ended_;
  std::thread thread_;
};

}  // namespace bulkhead::fault

#endif  // BULKHEAD_TESTS_FAULT_CALL_TRACER_H_
