#include "shim/policy/apply.h"

#include <utility>

#include "shim/policy/hardened.h"

namespace bulkhead::policy {
namespace {

using Type = spec::SecurityProfile::Type;

}  // namespace

absl::StatusOr<spec::PodSpec> Apply(const Profile& profile, spec::PodSpec pod) {
  if (profile.kind == Kind::kHardened) return Harden(profile, std::move(pod));
  return pod;
}

absl::StatusOr<spec::ContainerSpec> Apply(const Profile& profile, const spec::PodSpec& pod,
                                          spec::ContainerSpec container) {
  if (profile.kind == Kind::kHardened) return Harden(profile, pod, std::move(container));
  if (container.security.privileged && !pod.security.privileged) {
    return absl::InvalidArgumentError(
        "linux.security_context.privileged: the sandbox was not run for privileged containers");
  }
  Type& seccomp = container.security.seccomp.type;
  if (seccomp == Type::kUnset && profile.seccomp_default) seccomp = Type::kRuntimeDefault;
  if (seccomp == Type::kRuntimeDefault && profile.kind == Kind::kDebug) {
    seccomp = Type::kRuntimeLogged;
  }
  if (absl::Status status = LimitPids(profile, container.resources); !status.ok()) return status;
  return container;
}

absl::Status CheckUpdate(const Profile& profile, const spec::Resources& resources) {
  spec::Resources limited = resources;
  return LimitPids(profile, limited);
}

bool NeedsHostIds(const spec::PodSpec& pod) {
  const spec::UserNamespace* own = spec::OwnUserNamespace(pod.security.namespaces);
  return own != nullptr && own->uids.empty();
}

}  // namespace bulkhead::policy
