#ifndef BULKHEAD_RUNTIME_SUPERVISOR_TAKEOVER_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_TAKEOVER_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/state.pb.h"
#include "runtime/kernel/fd.h"

// A re-exec in place: the process becomes another build of its program, and its pid, children
// and descriptors stay.
namespace bulkhead::supervisor {

// Counts up with each change of proto/state.proto that an older or newer build must not guess at.
inline constexpr uint32_t kStateVersion = 1;
// Of a pod with a user namespace: see proto/state.proto.
inline constexpr uint32_t kStateVersionUserNamespaces = 2;
// While a seccomp agent waits for a listener, or a process for its successor.
inline constexpr uint32_t kStateVersionLaunching = 3;

// The lowest version with all that the state has.
uint32_t VersionFor(const state::State& state);

// The state in a memfd, and out of it.
absl::StatusOr<UniqueFd> WriteState(const state::State& state);
absl::StatusOr<state::State> ReadState(int fd);
// Whether this build can take the state over; an error says what it does not know.
absl::Status ValidateState(const state::State& state);

// All descriptors that the state names.
std::vector<int> DescriptorsOf(const state::State& state);

// Runs the program in a child that only reads the state. An error is its own sentence about why
// it cannot take over. Waits for the child, 5 s at most.
absl::Status TryTakeover(int program, int state_file);

// Becomes the program. Returns only on an error, with nothing changed.
absl::Status TakeOver(int program, int state_file, const state::State& state);

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_TAKEOVER_H_
