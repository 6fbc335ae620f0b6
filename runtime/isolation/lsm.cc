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
namespace {

Outcome OpenInside(int procfs, const char* name, int& attribute) {
  const int file = Openat2(procfs, name, O_WRONLY | O_CLOEXEC, 0,
                           RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);
  if (file < 0) return {.error = -file, .subject = name};
  const int error = VerifyProcfs(file);
  if (error != 0) return {.error = error, .subject = name};
  attribute = file;
  return {};
}

Outcome WriteInside(const LsmSlice& slice, const char* name) {
  int attribute = -1;
  const Outcome opened = OpenInside(slice.procfs, name, attribute);
  if (!opened.ok()) return opened;
  const Outcome set = SetLabelInside(slice, attribute);
  close(attribute);
  return set;
}

}  // namespace

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
    slice.key_attribute = "thread-self/attr/keycreate";
    slice.command = plan.selinux_label();
    slice.subject = absl::StrCat("SELinux label ", plan.selinux_label());
  }
  return slice;
}

Outcome OpenLabelInside(const LsmSlice& slice, int& attribute) {
  return slice.command.empty() ? Outcome() : OpenInside(slice.procfs, slice.attribute, attribute);
}

Outcome SetKeyLabelInside(const LsmSlice& slice) {
  return *slice.key_attribute == '\0' ? Outcome() : WriteInside(slice, slice.key_attribute);
}

Outcome BecomeLabelledInside(const LsmSlice& slice) {
  if (slice.command.empty()) return {};
  const Outcome outcome = WriteInside(slice, "thread-self/attr/current");
  return outcome.error == EACCES ? Outcome() : outcome;
}

Outcome SetLabelInside(const LsmSlice& slice, int attribute) {
  const std::string& command = slice.command;
  if (command.empty()) return {};
  return FromResult(write(attribute, command.data(), command.size()), slice.subject.c_str());
}

}  // namespace bulkhead::isolation
