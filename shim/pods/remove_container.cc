// RemoveContainer: kills what runs, then takes away all that belongs to the container but its log,
// which is the kubelet's.
#include "shim/pods/service.h"

namespace bulkhead::pods {

absl::Status Service::RemoveContainer(const std::string& id) {
  const absl::StatusOr<FoundContainer> found = registry_.FindContainer(id);
  if (absl::IsNotFound(found.status())) return absl::OkStatus();
  if (!found.ok()) return found.status();
  return RemoveFoundContainer(found->pod, found->container);
}

absl::Status Service::RemoveFoundContainer(const std::shared_ptr<Pod>& pod,
                                           const std::shared_ptr<Container>& container) {
  {
    std::unique_lock lock(pod->mutex);
    // Of several removals one does it; when that one fails, the next tries.
    pod->changed.wait(lock, [&] {
      return container->made.has_value() && (container->removed || !container->record.removing);
    });
    if (container->removed) return absl::OkStatus();
    container->record.removing = true;
  }
  SaveSettled(*pod);
  absl::Status status;
  if (RecordOf(*pod, *container).phase != ContainerPhase::kExited) {
    status.Update(KillContainer(*pod, *container));
  }
  if (status.ok()) status = TearDownContainer(*pod, *container);
  if (status.ok()) {
    ForgetContainer(*pod, *container);
    SaveSettled(*pod);
  }
  const std::lock_guard lock(pod->mutex);
  container->record.removing = false;
  if (container->removed) {
    Publish(*pod, container->record.id, ContainerEvent::Type::kDeleted);
  }
  pod->changed.notify_all();
  return status;
}

void Service::ForgetContainer(Pod& pod, Container& container) {
  registry_.ForgetContainer(container.record.id);
  const std::lock_guard lock(pod.mutex);
  const spec::ContainerMetadata& metadata = container.record.spec.metadata;
  const auto entry = pod.containers_by_key.find({metadata.name, metadata.attempt});
  if (entry != pod.containers_by_key.end() && entry->second.get() == &container) {
    pod.containers_by_key.erase(entry);
  }
  pod.containers.erase(container.record.id);
  container.removed = true;
}

}  // namespace bulkhead::pods
