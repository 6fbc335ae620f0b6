#include "shim/pods/pod.h"

#include <time.h>

namespace bulkhead::pods {

bool OnHostNetwork(const spec::PodSpec& spec) {
  return spec.security.namespaces.network == spec::NamespaceMode::kNode;
}

bool SharesPidNamespace(const spec::PodSpec& spec) {
  return spec.security.namespaces.pid == spec::NamespaceMode::kPod;
}

PodRecord RecordOf(Pod& pod) {
  const std::lock_guard lock(pod.mutex);
  return pod.record;
}

ContainerRecord RecordOf(Pod& pod, const Container& container) {
  const std::lock_guard lock(pod.mutex);
  return container.record;
}

std::shared_ptr<PodSupervisor> SupervisorOf(Pod& pod) {
  const std::lock_guard lock(pod.mutex);
  return pod.supervisor;
}

PodState StateOf(const Pod& pod) {
  return pod.record.phase == PodPhase::kReady ? PodState::kReady : PodState::kNotReady;
}

PodStatus StatusOf(const Pod& pod) {
  PodStatus status;
  status.id = pod.record.id;
  status.spec = pod.record.spec;
  status.spec.resources = pod.record.resources;
  status.state = StateOf(pod);
  status.created_at = pod.record.created_at;
  status.ips = pod.record.ips;
  status.network_namespace = pod.record.network_namespace;
  status.pid = pod.pid1;
  status.reason = pod.record.reason;
  status.timestamp = Now();
  for (const auto& [id, container] : pod.containers) {
    if (IsListed(*container)) status.containers.push_back(StatusOf(pod, *container));
  }
  return status;
}

PodFile FileOf(const Pod& pod) {
  PodFile file;
  file.pod = pod.record;
  for (const auto& [id, container] : pod.containers) file.containers.push_back(container->record);
  return file;
}

ContainerState StateOf(const Container& container) {
  switch (container.record.phase) {
    case ContainerPhase::kMaking:
      return ContainerState::kUnknown;
    case ContainerPhase::kCreated:
    case ContainerPhase::kStarting:
      return ContainerState::kCreated;
    case ContainerPhase::kRunning:
      return ContainerState::kRunning;
    case ContainerPhase::kExited:
      return ContainerState::kExited;
  }
  return ContainerState::kUnknown;
}

ContainerStatus StatusOf(const Pod& pod, const Container& container) {
  const ContainerRecord& record = container.record;
  ContainerStatus status;
  status.id = record.id;
  status.pod_id = pod.record.id;
  status.spec = record.spec;
  status.spec.resources = record.resources;
  status.state = StateOf(container);
  status.created_at = record.created_at;
  status.started_at = record.started_at;
  status.finished_at = record.finished_at;
  status.exit_code = record.exit_code;
  status.reason = record.reason;
  status.message = record.message;
  status.image_id = record.image_id;
  status.image_ref = record.image_ref;
  status.volume_images = record.volume_images;
  status.log_path = record.log_path;
  status.user = {.uid = record.user.uid, .gid = record.user.gid, .groups = record.user.groups};
  status.stop_signal = record.stop_signal;
  status.pid = container.pid;
  status.log_loss = container.log_loss;
  return status;
}

bool IsListed(const Container& container) {
  return container.record.phase != ContainerPhase::kMaking && !container.removed;
}

bool IsListed(const Pod& pod) { return pod.record.phase != PodPhase::kMaking && !pod.removed; }

int64_t Now() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace bulkhead::pods
