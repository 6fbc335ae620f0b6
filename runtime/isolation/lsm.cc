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

// Before the profile's name, in what is written to the kernel: apply it at the next exec.
constexpr char kOnExec[] = "exec ";

}  // namespace

absl::StatusOr<plan::LsmPlan> PlanLsm(const spec::SecurityContext& security,
                                      const HostFacts& host) {
  absl::StatusOr<std::string> profile = PlanAppArmor(security, host);
  if (!profile.ok()) return profile.status();
  if (security.selinux.has_value() && host.selinux) {
    return absl::UnimplementedError("selinux_options: labels are not set by this version yet");
  }
  plan::LsmPlan plan;
  plan.set_apparmor_profile(*std::move(profile));
  return plan;
}

LsmSlice LsmOutside(const plan::LsmPlan& plan, int procfs) {
  LsmSlice slice{.procfs = procfs};
  if (!plan.apparmor_profile().empty()) {
    slice.apparmor_command = absl::StrCat(kOnExec, plan.apparmor_profile());
  }
  return slice;
}

Outcome OpenAppArmorInside(const LsmSlice& slice, int& attribute) {
  if (slice.apparmor_command.empty()) return {};
  static constexpr char kPath[] = "thread-self/attr/apparmor/exec";
  const int file = Openat2(slice.procfs, kPath, O_WRONLY | O_CLOEXEC, 0,
                           RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);
  if (file < 0) return {.error = -file, .subject = kPath};
  if (const int error = VerifyProcfs(file); error != 0) return {.error = error, .subject = kPath};
  attribute = file;
  return {};
}

Outcome SetAppArmorInside(const LsmSlice& slice, int attribute) {
  const std::string& command = slice.apparmor_command;
  if (command.empty()) return {};
  return FromResult(write(attribute, command.data(), command.size()),
                    command.c_str() + sizeof(kOnExec) - 1);
}

}  // namespace bulkhead::isolation
