// The process that executes a program in a PID namespace that others live in already.
//
// From its clone on, a process is within reach of those that may trace in its PID namespace, and to
// CAP_SYS_PTRACE in the user namespace of its memory nothing is out of reach (ptrace(2)). So the
// one that joins is cloned last, by a predecessor that went through the steps outside of the
// namespace, when nothing is left in it that the container has not: no privilege, no descriptor, no
// call that its filter forbids, and none of the supervisor's memory.
#ifndef BULKHEAD_RUNTIME_ISOLATION_SUCCESSOR_H_
#define BULKHEAD_RUNTIME_ISOLATION_SUCCESSOR_H_

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/plan.pb.h"
#include "runtime/isolation/program.h"
#include "runtime/isolation/steps.h"
#include "runtime/kernel/shared_pid.h"

namespace bulkhead::isolation {

// What a successor knows, in memory of its own.
struct SuccessorArguments {
  int control = -1;
  int terminal = -1;
  ProgramVectors program;
};

class SuccessorSlice {
 public:
  // Outside. The successor takes a terminal from its standard input. No memory of `program` is
  // used later.
  static absl::StatusOr<SuccessorSlice> Make(const ProgramSlice& program, bool terminal);
  SuccessorSlice(SuccessorSlice&& other) noexcept;
  SuccessorSlice& operator=(SuccessorSlice&& other) = delete;
  ~SuccessorSlice();

  SharedPid& pid() { return pid_; }

  // Inside, before the filter: what is not the successor's is not copied to it.
  Outcome LeaveMemoryInside() const;

  // Inside: clones the successor, a child of the supervisor's, which calls `run` with its
  // arguments. Ends the calling process, or returns why it could not.
  Outcome CloneInside(int control, int (*run)(void*)) const;

 private:
  struct Range {
    char* begin;
    size_t size;
  };

  SuccessorSlice() = default;
  absl::Status MapMemory(const ProgramSlice& program, bool terminal);
  void FindStrangeMemory();

  SharedPid pid_;
  // Arguments, stack and thread area.
  Range memory_ = {};
  // All but that and the program itself.
  std::vector<Range> strange_;
};

// Whether a filter that is in force before the clone lets it and the successor's own steps through.
// One that forbids a program new processes, or sessions, does not.
bool AllowsSuccessor(const plan::SeccompPlan& seccomp, bool terminal);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_SUCCESSOR_H_
