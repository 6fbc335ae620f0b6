// What a profile makes of what is asked. Pure functions: they tighten, or refuse with
// INVALID_ARGUMENT naming field and handler; docs/security-fields.md has them as tables. A profile
// of the kind kDebug alone relaxes, which its handler's configuration has to allow by name.
#ifndef BULKHEAD_SHIM_POLICY_APPLY_H_
#define BULKHEAD_SHIM_POLICY_APPLY_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/spec/container.h"
#include "runtime/spec/pod.h"
#include "shim/policy/profile.h"

namespace bulkhead::policy {

// A user namespace that the profile wants and the pod did not ask for has no maps yet
// (NeedsHostIds).
absl::StatusOr<spec::PodSpec> Apply(const Profile& profile, spec::PodSpec pod);

// `pod` is the sandbox's spec, applied and with its maps. INVALID_ARGUMENT for a privileged
// container in a sandbox that was not run for such.
absl::StatusOr<spec::ContainerSpec> Apply(const Profile& profile, const spec::PodSpec& pod,
                                          spec::ContainerSpec container);

// That an update lifts no limit of the profile's.
absl::Status CheckUpdate(const Profile& profile, const spec::Resources& resources);

// Whether ids of the host have to be found for the pod's user namespace.
bool NeedsHostIds(const spec::PodSpec& pod);

}  // namespace bulkhead::policy

#endif  // BULKHEAD_SHIM_POLICY_APPLY_H_
