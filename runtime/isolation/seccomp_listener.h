// The listener of a filter that notifies (seccomp_unotify(2)), on its way to the seccomp agent.
//
//   child                            supervisor                          agent
//     | seccomp, the listener is 4      |                                  |
//     |-------- listening ------------->|                                  |
//     |                                 |---- process state, listener ---->|
//     |<------- taken ------------------|  closes connection and listener  |
//     | close 4                         |                                  |
//
// From then on the agent alone has it. When the agent is gone the kernel answers ENOSYS, also to
// the calls that wait. No call of the launch itself is notified before (seccomp_json.cc). A
// successor (successor.h) is cloned afterwards: the filter and its listener are its own too, the
// descriptor never was.
#ifndef BULKHEAD_RUNTIME_ISOLATION_SECCOMP_LISTENER_H_
#define BULKHEAD_RUNTIME_ISOLATION_SECCOMP_LISTENER_H_

#include <sys/types.h>

#include <map>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/plan.pb.h"
#include "runtime/isolation/descriptors.h"
#include "runtime/isolation/steps.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::isolation {

// The listener's number in the child: the lowest that is free, agreed upon, because it cannot be
// told without a further call under the filter.
inline constexpr int kSeccompListener = 4;

// The OCI runtime specification's "State", but for its pid.
struct ProcessState {
  std::string id;
  std::string status;
  std::map<std::string, std::string> annotations;
};

// Completes a plan's listener. FAILED_PRECONDITION without an `agent`, the path of its socket: the
// container may be older than the daemon's configuration.
absl::Status PlanSeccompListener(const std::string& agent, const ProcessState& state,
                                 plan::SeccompListener& listener, DescriptorList& descriptors);

// What a launch keeps for the agent.
struct SeccompAgent {
  UniqueFd connection;  // None: nobody is notified.
  std::string process_state;
};

// Outside. `process` is the child, also where a successor is to have its filter; `container` is the
// container's first process. `fds` may be closed afterwards.
absl::StatusOr<SeccompAgent> SeccompAgentOutside(const plan::SeccompPlan& plan,
                                                 std::span<const UniqueFd> fds);
void AddPids(pid_t process, pid_t container, SeccompAgent& agent);

// Inside, after the filter: returns when the agent has the listener. ECONNRESET: it has not.
Outcome GiveListenerInside(int control);

// In the supervisor, once the child is listening. Keeps neither connection nor listener.
absl::Status HandOverListener(int pidfd, SeccompAgent agent);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_SECCOMP_LISTENER_H_
