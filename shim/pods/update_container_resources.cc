// UpdateContainerResources: changes limits through the cgroup, and what the status reports.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"
#include "shim/pods/service.h"
#include "shim/policy/apply.h"

namespace bulkhead::pods {
namespace {

template <typename T>
void Replace(T& value, const T& asked) {
  if (asked != T()) value = asked;
}

// What is 0 or empty was not asked and stays.
spec::Resources Merged(spec::Resources current, const spec::Resources& asked) {
  Replace(current.cpu_period, asked.cpu_period);
  Replace(current.cpu_quota, asked.cpu_quota);
  Replace(current.cpu_shares, asked.cpu_shares);
  Replace(current.memory_limit, asked.memory_limit);
  Replace(current.memory_swap_limit, asked.memory_swap_limit);
  Replace(current.oom_score_adj, asked.oom_score_adj);
  Replace(current.cpuset_cpus, asked.cpuset_cpus);
  Replace(current.cpuset_mems, asked.cpuset_mems);
  Replace(current.hugepage_limits, asked.hugepage_limits);
  for (const auto& [file, value] : asked.unified) current.unified[file] = value;
  return current;
}

}  // namespace

absl::Status Service::UpdateContainerResources(const std::string& id,
                                               const spec::Resources& resources) {
  const absl::StatusOr<FoundContainer> found = registry_.FindContainer(id);
  if (!found.ok()) return found.status();
  Pod& pod = *found->pod;
  Container& container = *found->container;
  const ContainerRecord record = RecordOf(pod, container);
  if (record.phase == ContainerPhase::kExited || record.phase == ContainerPhase::kMaking) {
    return absl::FailedPreconditionError(
        absl::StrCat("container ", record.id, " is neither created nor running"));
  }
  const absl::StatusOr<policy::Profile> profile = ProfileOf(RecordOf(pod).spec);
  if (!profile.ok()) return profile.status();
  const absl::Status allowed = policy::CheckUpdate(*profile, resources);
  if (!allowed.ok()) return allowed;
  const absl::Status set = host_->SetResources(record.cgroup, resources);
  if (!set.ok()) return Annotate(set, "update resources");
  {
    const std::lock_guard lock(pod.mutex);
    container.record.resources = Merged(container.record.resources, resources);
  }
  return Save(pod);
}

}  // namespace bulkhead::pods
