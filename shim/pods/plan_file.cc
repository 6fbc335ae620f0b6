#include "shim/pods/plan_file.h"

#include "absl/strings/str_cat.h"
#include "shim/pods/files.h"

namespace bulkhead::pods {
namespace {

// A privileged container's has all the devices of the host.
constexpr size_t kSizeLimit = size_t{4} << 20;

}  // namespace

absl::Status WritePlanFile(const std::string& path, const plan::RootPlan& root,
                           const plan::LaunchPlan& launch, const std::set<std::string>& devices) {
  plan::ContainerPlan plan;
  *plan.mutable_root() = root;
  *plan.mutable_launch() = launch;
  plan.set_seccomp_filter(!launch.seccomp().program().empty());
  plan.mutable_devices()->Add(devices.begin(), devices.end());
  plan.mutable_launch()->clear_seccomp();
  plan.mutable_launch()->mutable_process()->clear_env();
  plan.mutable_launch()->mutable_process()->clear_args();
  return ReplaceFile(path, plan.SerializeAsString(), 0600);
}

absl::Status AddHookMounts(const std::string& path, const std::vector<std::string>& mounts) {
  if (mounts.empty()) return absl::OkStatus();
  absl::StatusOr<plan::ContainerPlan> plan = ReadPlanFile(path);
  if (!plan.ok()) return plan.status();
  plan->mutable_hook_mounts()->Add(mounts.begin(), mounts.end());
  return ReplaceFile(path, plan->SerializeAsString(), 0600);
}

absl::StatusOr<plan::ContainerPlan> ReadPlanFile(const std::string& path) {
  const absl::StatusOr<std::string> content = ReadFile(path, kSizeLimit);
  if (!content.ok()) return content.status();
  plan::ContainerPlan plan;
  if (plan.ParseFromString(*content) && plan.has_launch()) return plan;
  return absl::DataLossError(absl::StrCat(path, " does not parse"));
}

}  // namespace bulkhead::pods
