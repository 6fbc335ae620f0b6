// StopPodSandbox: no new containers, all running ones killed, the supervisor ended, the network
// released. What fails is tried again in the background until it worked.
#include <glog/logging.h>

#include <sys/eventfd.h>

#include "shim/pods/service.h"

namespace bulkhead::pods {

absl::Status Service::StopPodSandbox(const std::string& id) {
  const absl::StatusOr<std::shared_ptr<Pod>> pod = registry_.Find(id);
  if (absl::IsNotFound(pod.status())) return absl::OkStatus();
  if (!pod.ok()) return pod.status();
  const absl::Status status = StopPod(*pod);
  if (!status.ok()) {
    retries_.Retry((*pod)->record.id, "stop of a sandbox",
                   [this, stopped = *pod] { return StopPod(stopped); });
  }
  return status;
}

absl::Status Service::StopPod(const std::shared_ptr<Pod>& pod) {
  std::unique_lock lock(pod->mutex);
  if (!pod->made.has_value()) {
    // Cancels RunPodSandbox, which undoes what it did.
    pod->cancelled = true;
    if (pod->cancel.valid()) eventfd_write(pod->cancel.get(), 1);
    pod->changed.wait(lock, [&] { return pod->made.has_value(); });
  }
  pod->changed.wait(lock, [&] { return !pod->stop_under_way; });
  if (pod->released || pod->removed) return absl::OkStatus();
  pod->stop_under_way = true;
  pod->record.stopping = true;
  for (const auto& [container_id, container] : pod->containers) {
    if (container->cancel.valid()) eventfd_write(container->cancel.get(), 1);
  }
  pod->changed.notify_all();
  lock.unlock();

  absl::Status status = StopPodSteps(pod);

  lock.lock();
  pod->stop_under_way = false;
  pod->released = status.ok();
  pod->record.stopping = !status.ok();
  pod->changed.notify_all();
  lock.unlock();
  SaveSettled(*pod);
  return status;
}

absl::Status Service::StopPodSteps(const std::shared_ptr<Pod>& pod) {
  // Whoever stops and removes must not need room on a full disk: each step can be repeated, so
  // that a record that could not be replaced only makes a later daemon repeat them.
  SaveSettled(*pod);
  AwaitMakings(*pod);
  std::vector<std::shared_ptr<Container>> alive;
  {
    const std::lock_guard lock(pod->mutex);
    for (const auto& [id, container] : pod->containers) {
      if (container->record.phase != ContainerPhase::kExited) alive.push_back(container);
    }
  }
  absl::Status first;
  for (const auto& container : alive) first.Update(KillContainer(*pod, *container));
  // While a process is left, so is the one who can tell how it ends.
  if (!first.ok()) return first;
  EndSupervisor(*pod);
  {
    const std::lock_guard lock(pod->mutex);
    if (pod->record.phase == PodPhase::kReady) {
      pod->record.phase = PodPhase::kNotReady;
      pod->changed.notify_all();
      Publish(*pod, pod->record.id, ContainerEvent::Type::kStopped);
    }
  }
  SaveSettled(*pod);
  first.Update(RemovePodCgroups(*pod));
  first.Update(ReleaseNetwork(pod->record.id, pod->record.network_namespace));
  return first;
}

void Service::AwaitMakings(Pod& pod) {
  // They see `stopping` at their next step; only a hung supervisor can hold one up. One that
  // failed and could not be undone yet stays in its phase, but nobody works on it here.
  const auto none_left = [&pod] {
    for (const auto& [id, container] : pod.containers) {
      const bool under_way = !container->made.has_value();
      if (under_way && container->record.phase == ContainerPhase::kMaking) return false;
    }
    return true;
  };
  std::unique_lock lock(pod.mutex);
  while (!pod.changed.wait_for(lock, options_.answer_bound, none_left)) {
    lock.unlock();
    KillHungSupervisor(pod);
    lock.lock();
  }
}

}  // namespace bulkhead::pods
