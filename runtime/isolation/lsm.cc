#include "runtime/isolation/lsm.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/isolation/apparmor.h"
#include "runtime/kernel/file.h"
#include "runtime/kernel/path.h"

namespace bulkhead::isolation {

absl::StatusOr<plan::LsmPlan> PlanLsm(const spec::SecurityContext& security, const HostFacts& host,
                                      const std::string& selinux_label) {
  absl::StatusOr<std::string> profile = PlanAppArmor(security, host);
  if (!profile.ok()) return profile.status();
  plan::LsmPlan plan;
  plan.set_apparmor_profile(*std::move(profile));
  plan.set_selinux_label(selinux_label);
  return plan;
}

absl::StatusOr<LsmSlice> LsmOutside(const plan::LsmPlan& plan, int procfs) {
  if (!plan.apparmor_profile().empty() && !plan.selinux_label().empty()) {
    return absl::InvalidArgumentError("an AppArmor profile and an SELinux label for one process");
  }
  LsmSlice slice{.procfs = procfs};
  if (!plan.apparmor_profile().empty()) {
    slice.attribute = "thread-self/attr/apparmor/exec";
    slice.command = absl::StrCat("exec ", plan.apparmor_profile());
    slice.subject = absl::StrCat("AppArmor profile ", plan.apparmor_profile());
  } else if (!plan.selinux_label().empty()) {
    slice.attribute = "thread-self/attr/exec";
    slice.command = plan.selinux_label();
    slice.subject = absl::StrCat("SELinux label ", plan.selinux_label());
  }
  return slice;
}

Outcome OpenLabelInside(const LsmSlice& slice, int& attribute) {
  if (slice.command.empty()) return {};
  const int file = Openat2(slice.procfs, slice.attribute, O_WRONLY | O_CLOEXEC, 0,
                           RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);
  if (file < 0) return {.error = -file, .subject = slice.attribute};
  const int error = VerifyProcfs(file);
  if (error != 0) return {.error = error, .subject = slice.attribute};
  attribute = file;
  return {};
}

Outcome SetLabelInside(const LsmSlice& slice, int attribute) {
  const std::string& command = slice.command;
  if (command.empty()) return {};
  return FromResult(write(attribute, command.data(), command.size()), slice.subject.c_str());
}

}  // namespace bulkhead::isolation
