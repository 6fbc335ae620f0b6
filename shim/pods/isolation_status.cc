#include "shim/pods/isolation_status.h"

#include <sys/stat.h>

#include <utility>

#include "runtime/isolation/report.h"
#include "runtime/kernel/status.h"
#include "shim/pods/plan_file.h"

namespace bulkhead::pods {
namespace {

// 0 when there is no namespace at the path.
uint64_t NamespaceAt(const std::string& path) {
  struct stat status = {};
  struct stat own = {};
  if (stat("/proc/self/ns/net", &own) != 0 || stat(path.c_str(), &status) != 0) return 0;
  return status.st_dev == own.st_dev ? status.st_ino : 0;
}

}  // namespace

absl::StatusOr<std::vector<isolation::Comparison>> CompareWithPlan(
    const isolation::CgroupManager& cgroups, const PodRecord& pod, const ContainerRecord& container,
    const std::string& plan_file, int32_t pid) {
  absl::StatusOr<plan::ContainerPlan> plan = ReadPlanFile(plan_file);
  if (!plan.ok()) return Annotate(plan.status(), "the container's plan");
  auto limits = cgroups.PlanLimits(container.cgroup, container.resources);
  if (!limits.ok()) return limits.status();
  const isolation::CgroupJoinPaths join = cgroups.JoinPaths(container.cgroup);
  const isolation::PlannedIsolation planned{
      .plan = *std::move(plan),
      .pod = pod.spec.security.namespaces,
      .cgroup = container.cgroup,
      .hierarchies = join.v1_tasks.size() + (join.v2_directory.empty() ? 0 : 1),
      .network_namespace = NamespaceAt(pod.network_namespace),
      .limits = *std::move(limits)};
  auto actual = isolation::ReadIsolation(pid, container.id, isolation::RequestFor(planned));
  if (!actual.ok()) return actual.status();
  if (planned.plan.devices_size() > 0) {
    absl::StatusOr<std::set<std::string>> devices = cgroups.ReadDevices(container.cgroup);
    if (!devices.ok()) return devices.status();
    actual->devices = *std::move(devices);
  }
  return isolation::Compare(planned, *actual);
}

}  // namespace bulkhead::pods
