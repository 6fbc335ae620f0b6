#ifndef BULKHEAD_SHIM_POLICY_HARDENED_H_
#define BULKHEAD_SHIM_POLICY_HARDENED_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/spec/container.h"
#include "runtime/spec/pod.h"
#include "shim/policy/profile.h"

namespace bulkhead::policy {

// Pure functions: what kHardened makes of a sandbox and of a container in it.
absl::StatusOr<spec::PodSpec> Harden(const Profile& profile, spec::PodSpec pod);
absl::StatusOr<spec::ContainerSpec> Harden(const Profile& profile, const spec::PodSpec& pod,
                                           spec::ContainerSpec container);

// The profile's limit of processes where none is asked; one above it is refused.
absl::Status LimitPids(const Profile& profile, spec::Resources& resources);

}  // namespace bulkhead::policy

#endif  // BULKHEAD_SHIM_POLICY_HARDENED_H_
