// Profiles to filters.
#ifndef BULKHEAD_RUNTIME_ISOLATION_SECCOMP_PROFILE_H_
#define BULKHEAD_RUNTIME_ISOLATION_SECCOMP_PROFILE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/plan.pb.h"
#include "runtime/spec/seccomp.h"

namespace bulkhead::isolation {

struct CompiledSeccomp {
  plan::SeccompPlan plan;
  // Names in the profile that libseccomp does not know, such as those of calls newer than it, in
  // alphabetical order. They get the profile's default action.
  std::vector<std::string> unknown_calls;
};

// Of several rules for a call the first without comparisons decides; else those that hold, in
// libseccomp's order. Calls of an architecture that the profile does not name kill the process.
// With a rule that notifies, the plan's listener has the profile's metadata.
// INVALID_ARGUMENT: an architecture that cannot be filtered here, two rules for the same arguments
// with different actions, more than the kernel takes. UNAVAILABLE when libseccomp does not know
// this machine.
absl::StatusOr<CompiledSeccomp> CompileProfile(const spec::SeccompProfile& profile);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_SECCOMP_PROFILE_H_
