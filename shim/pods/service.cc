#include "shim/pods/service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "shim/pods/filter.h"

namespace bulkhead::pods {

Service::Service(Options options, std::shared_ptr<Host> host, std::shared_ptr<Images> images,
                 network::Network* network)
    : options_(std::move(options)),
      host_(std::move(host)),
      images_(std::move(images)),
      network_(network),
      records_(options_.state_directory + "/pods"),
      host_ids_(options_.first_host_id, options_.host_id_ranges),
      selinux_levels_(options_.selinux_categories),
      leaves_(std::make_shared<ExecLeaves>(host_)),
      settling_(2),
      retries_(2, options_.retry_pauses) {}

Service::~Service() { Shutdown(); }

void Service::Shutdown() {
  events_.CloseAll();
  retries_.Shutdown();
  settling_.Shutdown();
}

std::string Service::DataOf(const Container& container) const {
  return absl::StrCat(options_.data_directory, "/containers/", container.record.id);
}

std::string Service::ExitRecordOf(const Pod& pod, const Container& container) const {
  return records_.ExitRecordOf(pod.record.id, container.record.id);
}

std::string Service::SeccompFileOf(const Pod& pod, const Container& container) const {
  return absl::StrCat(DirectoryOf(pod), "/seccomp.", container.record.id);
}

std::string Service::PlanFileOf(const Pod& pod, const Container& container) const {
  return records_.PlanFileOf(pod.record.id, container.record.id);
}

absl::Status Service::Save(Pod& pod) {
  const std::lock_guard writing(pod.record_mutex);
  if (pod.record_removed) return absl::OkStatus();
  PodFile file;
  {
    const std::lock_guard lock(pod.mutex);
    file = FileOf(pod);
  }
  return records_.Write(file);
}

absl::Status Service::RemoveRecord(Pod& pod) {
  const std::lock_guard writing(pod.record_mutex);
  pod.record_removed = true;
  return records_.Remove(pod.record.id);
}

void Service::Publish(Pod& pod, const std::string& id, ContainerEvent::Type type) {
  if (!events_.HasSubscribers()) return;
  events_.Publish({.container_id = id, .type = type, .created_at = Now(), .pod = StatusOf(pod)});
}

SupervisorCallbacks Service::CallbacksFor(const std::shared_ptr<Pod>& pod) {
  // The pod owns its supervisor, whose callbacks therefore must not own the pod.
  const std::weak_ptr<Pod> weak = pod;
  return {.on_event =
              [this, weak](const supervisor::Event& event) {
                if (const auto alive = weak.lock()) OnEvent(alive, event);
              },
          .on_lost =
              [this, weak](const absl::Status&) {
                const auto alive = weak.lock();
                if (alive) settling_.Post([this, alive] { SettleLostPod(alive); });
              }};
}

absl::StatusOr<std::unique_ptr<isolation::CgroupHold>> Service::MakeCgroup(
    Pod& pod, const std::string& path, const spec::Resources& resources) {
  std::vector<std::string> parents = CgroupAndParents(path);
  parents.pop_back();
  const std::vector<std::string> ours =
      cgroups_.ClaimOurs(pod.record.id, parents,
                         [this](const std::string& parent) { return host_->CgroupExists(parent); });
  {
    const std::lock_guard lock(pod.mutex);
    for (const std::string& parent : ours) {
      std::vector<std::string>& made = pod.record.made_cgroups;
      if (std::find(made.begin(), made.end(), parent) == made.end()) made.push_back(parent);
    }
  }
  const absl::Status saved = ours.empty() ? absl::OkStatus() : Save(pod);
  if (!saved.ok()) return saved;
  return host_->CreateCgroup(path, resources);
}

absl::StatusOr<PodStatus> Service::PodSandboxStatus(const std::string& id) {
  const absl::StatusOr<std::shared_ptr<Pod>> pod = registry_.Find(id);
  if (!pod.ok()) return pod.status();
  const std::lock_guard lock((*pod)->mutex);
  return StatusOf(**pod);
}

std::vector<PodStatus> Service::ListPodSandbox(const PodFilter& filter) {
  std::vector<PodStatus> found;
  for (const std::shared_ptr<Pod>& pod : registry_.Pods(filter.id)) {
    const std::lock_guard lock(pod->mutex);
    const bool matches = Matches(filter, pod->record.id, pod->record.spec, StateOf(*pod));
    if (IsListed(*pod) && matches) found.push_back(StatusOf(*pod));
  }
  return found;
}

absl::StatusOr<ContainerStatus> Service::GetContainerStatus(const std::string& id) {
  const absl::StatusOr<FoundContainer> found = registry_.FindContainer(id);
  if (!found.ok()) return found.status();
  const std::lock_guard lock(found->pod->mutex);
  return StatusOf(*found->pod, *found->container);
}

absl::StatusOr<std::vector<isolation::Comparison>> Service::CompareIsolation(
    const std::string& id) {
  const absl::StatusOr<FoundContainer> found = registry_.FindContainer(id);
  if (!found.ok()) return found.status();
  int32_t pid = 0;
  {
    const std::lock_guard lock(found->pod->mutex);
    if (StateOf(*found->container) == ContainerState::kRunning) pid = found->container->pid;
  }
  if (pid == 0) {
    return absl::FailedPreconditionError(absl::StrCat("container ", id, " does not run"));
  }
  return host_->CompareIsolation(RecordOf(*found->pod), RecordOf(*found->pod, *found->container),
                                 PlanFileOf(*found->pod, *found->container), pid);
}

std::vector<ContainerStatus> Service::ListContainers(const ContainerFilter& filter) {
  std::vector<ContainerStatus> statuses;
  for (const FoundContainer& found : registry_.Containers(filter.id)) {
    const std::lock_guard lock(found.pod->mutex);
    const ContainerRecord& record = found.container->record;
    const bool matches =
        Matches(filter, record.id, found.pod->record.id, record.spec, StateOf(*found.container));
    if (IsListed(*found.container) && matches) {
      statuses.push_back(StatusOf(*found.pod, *found.container));
    }
  }
  return statuses;
}

}  // namespace bulkhead::pods
