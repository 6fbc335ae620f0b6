#include "runtime/isolation/apparmor.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/substitute.h"

namespace bulkhead::isolation {
namespace {

// It stands by itself: what distributions have in tunables and abstractions differs, and may be
// missing. Everything is allowed but what reaches beyond the container's namespaces. A rule of
// `deny` wins over any other. `$0` is its name.
constexpr char kPolicy[] = R"(profile $0 flags=(attach_disconnected, mediate_deleted) {
  capability,
  file,
  network,
  unix,

  # The host may signal and trace what runs in here, which may do so with its like only.
  signal (receive) peer=unconfined,
  signal (send, receive) peer=$0,
  signal (send, receive) set=(exists),
  ptrace (readby, tracedby) peer=unconfined,
  ptrace (read, readby, trace, tracedby) peer=$0,

  # Mounting, unmounting, pivot_root: not named, so not allowed, and not worth a line in a log.
  deny mount,
  deny umount,

  # Of procfs the processes' own directories can be written, nothing else: neither files at its top
  # nor those below a directory that is no number, such as sys.
  deny /proc/* w,
  deny /proc/[^1-9]*/** wklx,
  deny /proc/kcore rwklx,
  deny /proc/sysrq-trigger rwklx,

  # Of sysfs the cgroups, nothing else.
  deny /sys/[^f]** wklx,
  deny /sys/f[^s]** wklx,
  deny /sys/fs/[^c]** wklx,
  deny /sys/fs/c[^g]** wklx,
  deny /sys/fs/cg[^r]** wklx,
  deny /sys/devices/virtual/powercap/** rwklx,
  deny /sys/firmware/** rwklx,
  deny /sys/kernel/security/** rwklx,
}
)";

}  // namespace

absl::StatusOr<std::string> PlanAppArmor(const spec::SecurityContext& security,
                                         const HostFacts& host) {
  using Type = spec::SecurityProfile::Type;
  const spec::SecurityProfile& profile = security.apparmor;
  if (security.privileged || profile.type == Type::kUnconfined) return "";
  if (profile.type != Type::kLocalhost) return host.apparmor ? kDefaultAppArmorProfile : "";
  if (host.apparmor) return profile.localhost_ref;
  return absl::FailedPreconditionError(
      absl::StrCat("apparmor: profile \"", profile.localhost_ref,
                   "\" is asked, but AppArmor is not enabled on this host"));
}

std::string DefaultAppArmorPolicy(std::string_view abi) {
  const std::string policy = absl::Substitute(kPolicy, kDefaultAppArmorProfile);
  if (abi.empty()) return policy;
  return absl::StrCat("abi <", absl::string_view(abi.data(), abi.size()), ">,\n", policy);
}

bool ListsProfile(std::string_view profiles, std::string_view name) {
  const absl::string_view text(profiles.data(), profiles.size());
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    // "NAME (MODE)", and a name may have blanks and parentheses.
    const size_t end = line.rfind(" (");
    if (end != absl::string_view::npos &&
        line.substr(0, end) == absl::string_view(name.data(), name.size())) {
      return true;
    }
  }
  return false;
}

}  // namespace bulkhead::isolation
