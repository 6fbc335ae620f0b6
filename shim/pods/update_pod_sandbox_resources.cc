// UpdatePodSandboxResources: takes note of what the kubelet has set in the pod's cgroup.
#include "absl/strings/str_cat.h"
#include "shim/pods/service.h"

namespace bulkhead::pods {

absl::Status Service::UpdatePodSandboxResources(const std::string& id,
                                                const spec::PodResources& resources) {
  const absl::StatusOr<std::shared_ptr<Pod>> found = registry_.Find(id);
  if (!found.ok()) return found.status();
  Pod& pod = **found;
  {
    const std::lock_guard lock(pod.mutex);
    if (pod.record.phase != PodPhase::kReady) {
      return absl::FailedPreconditionError(
          absl::StrCat("sandbox ", pod.record.id, " is not ready"));
    }
    pod.record.resources = resources;
  }
  return Save(pod);
}

}  // namespace bulkhead::pods
