#include "runtime/isolation/lsm.h"

#include "absl/strings/str_cat.h"

namespace bulkhead::isolation {

absl::Status CheckLsm(const spec::SecurityContext& security, const HostFacts& host) {
  using Type = spec::SecurityProfile::Type;
  const spec::SecurityProfile& apparmor = security.apparmor;
  if (!security.privileged && apparmor.type == Type::kLocalhost && !host.apparmor) {
    return absl::FailedPreconditionError(
        absl::StrCat("apparmor: profile \"", apparmor.localhost_ref,
                     "\" is asked, but AppArmor is not enabled on this host"));
  }
  const bool explicit_profile =
      apparmor.type == Type::kLocalhost || apparmor.type == Type::kRuntimeDefault;
  if (!security.privileged && explicit_profile && host.apparmor) {
    return absl::UnimplementedError("apparmor: profiles are not applied by this version yet");
  }
  if (security.selinux.has_value() && host.selinux) {
    return absl::UnimplementedError("selinux_options: labels are not set by this version yet");
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::isolation
