// RemovePodSandbox: stops the sandbox, removes its containers, then every trace of it. Like its
// peers it fails while the network is not released, so that the kubelet asks again.
#include "shim/pods/service.h"

namespace bulkhead::pods {

absl::Status Service::RemovePodSandbox(const std::string& id) {
  const absl::StatusOr<std::shared_ptr<Pod>> found = registry_.Find(id);
  if (absl::IsNotFound(found.status())) return absl::OkStatus();
  if (!found.ok()) return found.status();
  const std::shared_ptr<Pod> pod = *found;
  absl::Status status = StopPod(pod);
  if (!status.ok()) {
    retries_.Retry(pod->record.id, "stop of a sandbox", [this, pod] { return StopPod(pod); });
    return status;
  }
  {
    std::unique_lock lock(pod->mutex);
    pod->changed.wait(lock, [&] { return pod->removed || !pod->record.removing; });
    if (pod->removed) return absl::OkStatus();
    pod->record.removing = true;
  }
  status = RemovePodSteps(pod);
  const std::lock_guard lock(pod->mutex);
  pod->record.removing = false;
  pod->removed = status.ok();
  pod->changed.notify_all();
  if (status.ok()) Publish(*pod, pod->record.id, ContainerEvent::Type::kDeleted);
  return status;
}

absl::Status Service::RemovePodSteps(const std::shared_ptr<Pod>& pod) {
  SaveSettled(*pod);
  std::vector<std::shared_ptr<Container>> containers;
  {
    const std::lock_guard lock(pod->mutex);
    for (const auto& [id, container] : pod->containers) containers.push_back(container);
  }
  absl::Status first;
  for (const auto& container : containers) first.Update(RemoveFoundContainer(pod, container));
  if (first.ok()) first.Update(TearDownPod(*pod));
  if (first.ok()) registry_.Forget(*pod);
  return first;
}

}  // namespace bulkhead::pods
