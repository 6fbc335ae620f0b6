// What an earlier daemon left: running pods are taken over, half-made and half-removed things are
// undone or finished, and what belongs to nobody is released.
#include <glog/logging.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <system_error>
#include <thread>
#include <utility>

#include "runtime/kernel/status.h"
#include "shim/pods/files.h"
#include "shim/pods/ids.h"
#include "shim/pods/pod_files.h"
#include "shim/pods/pod_log.h"
#include "shim/pods/service.h"

namespace bulkhead::pods {

class Service::Recovery {
 public:
  explicit Recovery(Service& service) : service_(service) {}

  absl::Status Run() {
    const absl::StatusOr<std::vector<std::string>> ids = service_.records_.List();
    if (!ids.ok()) return ids.status();
    for (const std::string& id : *ids) FindPod(id);
    ConnectAll();
    for (FoundPod& found : found_) RecoverPod(found);
    ReleaseStrangeNetworks();
    RemoveStrangeData();
    // The layers of containers that nothing is known of must stay.
    return unreadable_ ? absl::OkStatus() : service_.images_->FinishRecovery();
  }

 private:
  using Supervised = std::map<std::string, supervisor::ContainerState>;

  struct FoundPod {
    std::shared_ptr<Pod> pod;
    std::vector<ContainerRecord> containers;
    absl::Status connected;
  };

  void FindPod(const std::string& id) {
    absl::StatusOr<PodFile> file = service_.records_.Read(id);
    if (absl::IsNotFound(file.status())) {
      // The daemon ended before it wrote down, so before it did, anything.
      Report(id, "remove an empty pod directory", service_.records_.Remove(id));
      return;
    }
    kept_pods_.insert(id);
    if (!file.ok()) {
      // Nothing is known for certain, so nothing is touched.
      unreadable_ = true;
      KeepUnreadableLevel(id);
      service_.host_ids_.Close("the user namespace's ids of sandbox " + id +
                               " are not known: its record cannot be read");
      Report(id, "read a pod's record", file.status());
      return;
    }
    auto pod = std::make_shared<Pod>();
    pod->record = std::move(file->pod);
    // All claims before the first undoing, which would take what another pod relies on.
    service_.cgroups_.Claim(pod->record.id, pod->record.made_cgroups);
    const spec::NamespaceOptions& namespaces = pod->record.spec.security.namespaces;
    if (const spec::UserNamespace* own = spec::OwnUserNamespace(namespaces)) {
      service_.host_ids_.Keep(pod->record.id, *own);
    }
    service_.selinux_levels_.Keep(pod->record.id, pod->record.selinux.level);
    for (const ContainerRecord& container : file->containers) {
      const std::string level = isolation::SelinuxLevelOf(container.selinux.mount);
      service_.selinux_levels_.Keep(pod->record.id, level);
    }
    found_.push_back({std::move(pod), std::move(file->containers), absl::OkStatus()});
  }

  // The record of it cannot be read, but the kernel knows the label of its files. What containers
  // asked for was not theirs alone anyway.
  void KeepUnreadableLevel(const std::string& id) {
    const std::string label = ReadPodFilesLabel(service_.records_.DirectoryOf(id));
    const std::string level = isolation::SelinuxLevelOf(label);
    if (level.empty()) {
      service_.selinux_levels_.Close("the SELinux level of sandbox " + id +
                                     " is not known: its record cannot be read");
    }
    service_.selinux_levels_.Keep(id, level);
  }

  // Side by side, so that supervisors that do not answer cost the time of one.
  void ConnectAll() {
    constexpr size_t kThreads = 16;
    std::atomic<size_t> next = 0;
    std::vector<std::jthread> threads;
    while (threads.size() < std::min(kThreads, found_.size())) {
      threads.emplace_back([this, &next] {
        for (size_t i = next++; i < found_.size(); i = next++) {
          found_[i].connected = Connect(found_[i].pod);
        }
      });
    }
  }

  void RecoverPod(FoundPod& found) {
    const std::shared_ptr<Pod>& pod = found.pod;
    Report(pod->record.id, "connect to a pod's supervisor", found.connected);
    {
      const std::lock_guard lock(pod->mutex);
      pod->unreachable = !found.connected.ok();
    }
    if (pod->record.phase == PodPhase::kMaking) {
      Undo(pod);
    } else {
      Enter(pod, std::move(found.containers));
    }
  }

  // OK with no supervisor when there is none any more.
  absl::Status Connect(const std::shared_ptr<Pod>& pod) {
    auto supervisor =
        service_.host_->ConnectSupervisor(service_.DirectoryOf(*pod), service_.CallbacksFor(pod));
    if (absl::IsUnavailable(supervisor.status())) return absl::OkStatus();
    if (!supervisor.ok()) return supervisor.status();
    const std::lock_guard lock(pod->mutex);
    pod->supervisor = *std::move(supervisor);
    return absl::OkStatus();
  }

  void Undo(const std::shared_ptr<Pod>& pod) {
    Service& service = service_;
    InBackground("undo a half-made sandbox", pod->record.id,
                 [&service, pod] { return service.TearDownPod(*pod); });
  }

  void Enter(const std::shared_ptr<Pod>& pod, std::vector<ContainerRecord> containers) {
    Service& service = service_;
    {
      const std::lock_guard lock(pod->mutex);
      pod->made = absl::OkStatus();
      for (ContainerRecord& record : containers) EnterContainer(*pod, std::move(record));
      if (pod->supervisor != nullptr) pod->pid1 = pod->supervisor->hello().pid1();
      SettleReadiness(*pod);
    }
    service.registry_.Enter(pod);
    for (const auto& [id, container] : pod->containers) {
      service.registry_.EnterContainer(pod, container);
      kept_containers_.insert(id);
    }
    Reconcile(pod);
    FinishStarted(pod);
  }

  // With the pod's mutex held. Nobody answers for a pod that this daemon cannot talk to: it counts
  // as not ready, so that the caller ends it and makes another, until a daemon can. So does one
  // that was made without SELinux, whose containers would be without labels.
  void SettleReadiness(Pod& pod) {
    constexpr char kUnreachable[] = "SupervisorUnreachable";
    if (pod.unreachable) {
      service_.EndReadiness(pod, kUnreachable);
      return;
    }
    if (pod.supervisor == nullptr) return;
    if (pod.record.reason == kUnreachable) {
      pod.record.phase = PodPhase::kReady;
      pod.record.reason.clear();
    }
    const isolation::SelinuxFacts* selinux = service_.host_->Selinux();
    if (selinux == nullptr || !selinux->problem.empty()) return;
    if (pod.record.selinux.mount.empty()) service_.EndReadiness(pod, "MadeWithoutSelinux");
  }

  static void EnterContainer(Pod& pod, ContainerRecord record) {
    auto container = std::make_shared<Container>();
    container->record = std::move(record);
    // Until Reconcile has looked at it, its end is only noted.
    const spec::ContainerMetadata& metadata = container->record.spec.metadata;
    pod.containers_by_key[{metadata.name, metadata.attempt}] = container;
    pod.containers[container->record.id] = container;
  }

  // Brings the containers of a pod to the state that its supervisor, or its absence, tells.
  void Reconcile(const std::shared_ptr<Pod>& pod) {
    const auto supervisor = SupervisorOf(*pod);
    const Supervised supervised = ContainersOf(supervisor.get());
    std::vector<std::shared_ptr<Container>> containers;
    for (const auto& [id, container] : pod->containers) containers.push_back(container);
    for (const auto& container : containers) {
      const std::string id = container->record.id;
      if (container->record.phase == ContainerPhase::kMaking) {
        service_.UndoContainer(pod, container, absl::AbortedError("the daemon was restarted"));
        continue;
      }
      LeaseLayers(container->record);
      const auto state = supervised.find(id);
      if (state != supervised.end()) {
        TakeOver(pod, container, state->second);
        // The commands' that an earlier daemon started, if they have not ended.
        for (const std::string& leaf : service_.host_->ExecLeavesOf(container->record.cgroup)) {
          service_.leaves_->Release(leaf);
        }
      } else {
        const std::lock_guard lock(pod->mutex);
        Miss(*pod, container);
      }
    }
    for (const auto& container : std::exchange(lost_, {})) service_.SettleLost(*pod, *container);
    if (supervisor == nullptr) {
      if (!pod->unreachable) service_.SettleLostPod(pod);
      return;
    }
    for (const auto& [id, state] : supervised) {
      // Made or removed by a call that did not come to its end.
      if (!pod->containers.contains(id)) {
        Report(id, "remove an unknown container", supervisor->RemoveContainer(id));
      }
    }
    const std::lock_guard lock(pod->mutex);
    if (SharesPidNamespace(pod->record.spec) && supervisor->hello().pid1() == 0) {
      service_.EndReadiness(*pod, "Pid1Exited");
    }
    service_.SettleEarlyLoss(pod);
  }

  void LeaseLayers(const ContainerRecord& record) {
    std::vector<std::string> images = {record.image_id};
    for (const auto& [name, image_id] : record.volume_images) images.push_back(image_id);
    for (const std::string& image : images) {
      const auto layers = service_.images_->Acquire(record.id, image);
      if (!layers.ok()) Report(record.id, "lease a container's layers", layers.status());
    }
  }

  // Nothing is told of the container. With the pod's mutex held.
  void Miss(const Pod& pod, const std::shared_ptr<Container>& container) {
    container->made = absl::OkStatus();
    ContainerPhase& phase = container->record.phase;
    if (!pod.unreachable && phase != ContainerPhase::kExited) lost_.push_back(container);
    // It may have come to run, so it must be what a stop kills.
    if (pod.unreachable && phase == ContainerPhase::kStarting) phase = ContainerPhase::kRunning;
  }

  static Supervised ContainersOf(const PodSupervisor* supervisor) {
    Supervised supervised;
    if (supervisor == nullptr) return supervised;
    for (const supervisor::ContainerState& state : supervisor->hello().containers()) {
      supervised[state.id()] = state;
    }
    return supervised;
  }

  void TakeOver(const std::shared_ptr<Pod>& pod, const std::shared_ptr<Container>& container,
                const supervisor::ContainerState& state) {
    const std::lock_guard lock(pod->mutex);
    ContainerRecord& record = container->record;
    container->made = absl::OkStatus();
    container->pid = state.pid();
    container->log_loss = {.lines = state.log_loss().lines(),
                           .unfinished = state.log_loss().unfinished()};
    if (state.started_at() != 0) record.started_at = state.started_at();
    const supervisor::ExitRecord* exit = nullptr;
    switch (state.phase()) {
      case supervisor::ContainerState::RUNNING:
        if (record.phase != ContainerPhase::kExited) record.phase = ContainerPhase::kRunning;
        break;
      case supervisor::ContainerState::EXITED:
        exit = &state.exit();
        break;
      default:
        if (record.phase == ContainerPhase::kExited) break;
        // Of what was released the exec may come yet, so it must be what a stop kills.
        record.phase = state.released() ? ContainerPhase::kRunning : ContainerPhase::kCreated;
        if (state.released()) record.started_at = Now();
    }
    if (container->early_exit) exit = &*container->early_exit;
    if (exit != nullptr) service_.SettleExit(pod, container, *exit);
  }

  // A stop or removal that was under way goes on in the background.
  void FinishStarted(const std::shared_ptr<Pod>& pod) {
    Service& service = service_;
    std::vector<std::shared_ptr<Container>> removed;
    bool removing = false;
    bool stopping = false;
    {
      const std::lock_guard lock(pod->mutex);
      for (const auto& [id, container] : pod->containers) {
        if (std::exchange(container->record.removing, false)) removed.push_back(container);
      }
      removing = std::exchange(pod->record.removing, false);
      stopping = pod->record.stopping;
      // Stopped to the end. A lost pod, which has a reason, still has its network.
      pod->released =
          !stopping && pod->record.phase == PodPhase::kNotReady && pod->record.reason.empty();
    }
    for (const auto& container : removed) {
      Finish("finish a container's removal", container->record.id,
             [&service, pod, container] { return service.RemoveFoundContainer(pod, container); });
    }
    const std::string id = pod->record.id;
    if (removing) {
      Finish("finish a sandbox's removal", id,
             [&service, id] { return service.RemovePodSandbox(id); });
    } else if (stopping) {
      Finish("finish a sandbox's stop", id, [&service, id] { return service.StopPodSandbox(id); });
    }
  }

  void Finish(const std::string& what, const std::string& id,
              std::function<absl::Status()> finish) {
    // Where a CNI plugin that hangs delays no container's end.
    service_.retries_.Post([what, id, finish = std::move(finish)] { Report(id, what, finish()); });
  }

  // Networks of pods that are no more, as those from before a reboot: their addresses are freed.
  void ReleaseStrangeNetworks() {
    const absl::StatusOr<std::vector<std::string>> owed = service_.network_->List();
    if (!owed.ok()) {
      Report("", "list the pods' networks", owed.status());
      return;
    }
    Service& service = service_;
    for (const std::string& id : *owed) {
      if (kept_pods_.contains(id)) continue;
      InBackground("release an earlier pod's network", id, [&service, id] {
        return service.ReleaseNetwork(id, service.host_->NetnsPath(id));
      });
    }
  }

  // The daemon does not wait for it: a plugin may need what only comes up as a pod of this node.
  void InBackground(const std::string& what, const std::string& id,
                    const std::function<absl::Status()>& task) {
    Background& retries = service_.retries_;
    retries.Post([&retries, what, id, task] {
      const absl::Status status = task();
      Report(id, what, status);
      if (!status.ok()) retries.Retry(id, what, task);
    });
  }

  // Writable layers of containers that are no more.
  void RemoveStrangeData() {
    if (unreadable_) return;  // Of those there may be some that run.
    const std::string directory = service_.options_.data_directory + "/containers";
    std::error_code error;
    std::vector<std::string> strange;
    for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
         entry.increment(error)) {
      const std::string name = entry->path().filename();
      if (IsId(name) && !kept_containers_.contains(name)) strange.push_back(entry->path());
    }
    for (const std::string& path : strange) {
      Report(path, "remove an earlier container's data", RemoveTree(path));
    }
  }

  static void Report(const std::string& id, const std::string& what, const absl::Status& status) {
    LOG_IF(WARNING, !status.ok())
        << Event("recovery: " + what).With("id", id).With("error", status);
  }

  Service& service_;
  std::vector<FoundPod> found_;
  bool unreadable_ = false;  // Some pod's record is.
  std::set<std::string> kept_pods_;
  std::set<std::string> kept_containers_;
  std::vector<std::shared_ptr<Container>> lost_;
};

absl::Status Service::Recover() {
  absl::Status status = records_.Open();
  if (status.ok()) status = MakeDirectories(options_.data_directory + "/containers", 0711);
  if (status.ok()) status = Recovery(*this).Run();
  return Annotate(status, "recover pods");
}

}  // namespace bulkhead::pods
