// The order of isolation itself.
#ifndef BULKHEAD_RUNTIME_ISOLATION_LAUNCH_STEPS_H_
#define BULKHEAD_RUNTIME_ISOLATION_LAUNCH_STEPS_H_

#include <optional>
#include <vector>

#include "google/protobuf/repeated_field.h"
#include "proto/plan.pb.h"
#include "runtime/isolation/late_mounts.h"
#include "runtime/isolation/lsm.h"
#include "runtime/isolation/namespaces.h"
#include "runtime/isolation/oom_score.h"
#include "runtime/isolation/program.h"
#include "runtime/isolation/successor.h"
#include "runtime/isolation/terminal.h"

namespace bulkhead::isolation {

// The slices of one launch, each for its own step; complete before the clone. What they borrow
// must outlive the clone.
struct LaunchSlices {
  OomScoreSlice oom_score;
  std::vector<int> cgroup_tasks;
  NamespaceSlice namespaces;
  StreamSlice streams;
  LateMountSlice late_mounts;
  ProgramSlice program;
  LsmSlice lsm;
  const google::protobuf::RepeatedPtrField<plan::Rlimit>* rlimits = nullptr;
  const plan::CredentialsPlan* credentials = nullptr;
  const plan::SeccompPlan* seccomp = nullptr;
  // Whether the program waits for a release.
  bool held = true;
  // For one that joins a PID namespace in which others live.
  std::optional<SuccessorSlice> successor;
};

// In the child: carries out the table, reports on `control` and waits for the release if it is
// held, executes, or has its successor do so.
[[noreturn]] void RunLaunchSteps(const LaunchSlices& slices, int control);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_LAUNCH_STEPS_H_
