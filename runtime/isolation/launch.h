// From a plan to a process: clone, the ordered steps inside, and the exec on command.
//
//   caller                                child
//     | LaunchContainer ----- clone3 ------>|
//     |                                     |  steps of the table in launch_steps.cc
//     |<------------ listening -------------|  where a seccomp agent is to be notified
//     | ConfirmListener ---- taken -------->|
//     |<------------- ready | failed -------|  control socket becomes readable
//     | Release ------------ go ----------->|  seccomp, exec
//     |<------------ EOF | failed ----------|
//
// One that joins a PID namespace has a successor (successor.h) execute, and ends.
//
// Nothing here blocks on the child, the caller polls `control`.
#ifndef BULKHEAD_RUNTIME_ISOLATION_LAUNCH_H_
#define BULKHEAD_RUNTIME_ISOLATION_LAUNCH_H_

#include <sys/types.h>

#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "proto/plan.pb.h"
#include "runtime/isolation/pod_namespaces.h"
#include "runtime/isolation/root.h"
#include "runtime/isolation/seccomp_listener.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/shared_pid.h"

namespace bulkhead::isolation {

// Borrowed descriptors for 0, 1 and 2; -1 is the null device. Ignored with a terminal.
struct StandardStreams {
  int in = -1;
  int out = -1;
  int err = -1;
};

struct LaunchedProcess {
  pid_t pid = 0;  // In the supervisor's PID namespace.
  UniqueFd pidfd;
  // SOCK_SEQPACKET, close-on-exec, not blocking. Plain state: it may be handed over a re-exec.
  UniqueFd control;
  SeccompAgent agent;
  // The terminal's master where process.terminal is set; close-on-exec, not blocking.
  UniqueFd terminal;
  // Valid when it has a successor, a child of this process too: its number, before it does
  // anything.
  SharedPid successor;
};

// Starts the container's first process up to the exec. Both functions must run in the
// supervisor's main thread and return when the child was cloned; on an error there is no child.
// `fds` may be closed afterwards.
absl::StatusOr<LaunchedProcess> LaunchContainer(const plan::LaunchPlan& plan,
                                                std::span<const UniqueFd> fds,
                                                const PreparedRoot& root, const PodNamespaces& pod,
                                                const StandardStreams& streams);

// The first process of a container that runs, and PreparedRoot::root.
struct RunningContainer {
  pid_t pid = 0;
  int pidfd = -1;
  int root = -1;
};

// A further process in the namespaces of `container`. The streams come from the plan. It executes
// its program at once: there is no kReady and no Release, which saves two changes of context.
// FAILED_PRECONDITION when that process has ended.
absl::StatusOr<LaunchedProcess> LaunchExec(const plan::ExecPlan& plan,
                                           std::span<const UniqueFd> fds,
                                           const RunningContainer& container,
                                           const PodNamespaces& pod);

enum class LaunchProgress {
  kNothing,    // No report is there yet.
  kListening,  // The child waits for HandOverListener and ConfirmListener.
  kReady,      // All is prepared, the child waits for Release.
  kClosed,  // After Release: executed. Before: the child was killed. The pidfd tells an early end.
};

// Reads one report when `control` is readable. A child that failed is an error status: a
// sentence with the step, the path or value at fault and the errno (ErrnoOf, LaunchStepOf); its
// process exits by itself and must still be reaped.
absl::StatusOr<LaunchProgress> ReceiveReport(int control);

// The step that failed, such as "mount proc"; empty when the status is not of a launch.
std::string LaunchStepOf(const absl::Status& status);
// The status with its step set, for one that came over the supervisor's connection.
absl::Status WithLaunchStep(absl::Status status, std::string_view step);

// Lets the child go on once the agent has its listener. FAILED_PRECONDITION when the child is gone.
absl::Status ConfirmListener(int control);

// Lets the child execute its program. Once only. FAILED_PRECONDITION when the child is gone.
absl::Status Release(int control);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_LAUNCH_H_
