// CreateContainer: intent, everything that the container needs, and its process up to the exec.
// What fails is undone by TearDownContainer, the same that undoes after a crash.
#include <glog/logging.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"
#include "runtime/spec/json.h"
#include "shim/cdi/devices.h"
#include "shim/pods/exit_record.h"
#include "shim/pods/files.h"
#include "shim/pods/ids.h"
#include "shim/pods/pod_log.h"
#include "shim/pods/service.h"
#include "shim/pods/signals.h"
#include "shim/policy/apply.h"

namespace bulkhead::pods {
namespace {

// Readable by root alone: it holds what the container writes.
constexpr mode_t kDataMode = 0700;

std::string LogPath(const spec::PodSpec& pod, const spec::ContainerSpec& container) {
  if (pod.log_directory.empty() || container.log_path.empty()) return "";
  return absl::StrCat(pod.log_directory, "/", container.log_path);
}

absl::Status NotReady(const Pod& pod) {
  return absl::FailedPreconditionError(
      absl::StrCat("sandbox ", pod.record.id, " is not ready, so nothing is made in it"));
}

bool TakesContainers(const Pod& pod) {
  return pod.record.phase == PodPhase::kReady && !pod.record.stopping && !pod.record.removing;
}

}  // namespace

class Service::ContainerMaking {
 public:
  ContainerMaking(Service& service, Pod& pod, Container& container)
      : service_(service),
        pod_(pod),
        container_(container),
        id_(container.record.id),
        spec_(container.record.spec) {}

  absl::Status Run() {
    using Step = absl::Status (ContainerMaking::*)();
    constexpr Step kSteps[] = {
        &ContainerMaking::FindVolumeImages, &ContainerMaking::FindTarget,
        &ContainerMaking::FindLabels,       &ContainerMaking::RecordIntent,
        &ContainerMaking::LeaseLayers,      &ContainerMaking::MakeDirectories,
        &ContainerMaking::ReserveExit,      &ContainerMaking::MakeCgroup,
        &ContainerMaking::MakeCancel,       &ContainerMaking::Launch,
    };
    absl::Status status = FindImage();
    for (const Step step : kSteps) {
      if (!status.ok()) return status;
      status = StillTakesContainers() ? (this->*step)() : NotReady(pod_);
    }
    return status;
  }

 private:
  bool StillTakesContainers() {
    const std::lock_guard lock(pod_.mutex);
    return TakesContainers(pod_);
  }

  absl::Status FindImage() {
    const auto image = service_.images_->Find(spec_.image);
    if (!image.ok()) return Annotate(image.status(), "look up the image");
    if (!image->has_value()) {
      return absl::NotFoundError(
          absl::StrCat("image.image \"", spec_.image, "\" is not on this node"));
    }
    absl::StatusOr<std::string> signal = StopSignal(spec_.stop_signal, (*image)->stop_signal);
    if (!signal.ok()) return signal.status();
    const std::lock_guard lock(pod_.mutex);
    ContainerRecord& record = container_.record;
    record.image_id = (*image)->id;
    record.image_ref = (*image)->ref;
    record.image_config = (*image)->config;
    record.stop_signal = *std::move(signal);
    record.log_path = LogPath(pod_.record.spec, spec_);
    record.cgroup = CgroupBelow(pod_.record.cgroup, id_);
    return absl::OkStatus();
  }

  absl::Status FindVolumeImages() {
    std::map<std::string, std::string> ids;
    for (size_t i = 0; i < spec_.mounts.size(); ++i) {
      const std::string& name = spec_.mounts[i].image;
      if (name.empty() || ids.contains(name)) continue;
      const auto image = service_.images_->Find(name);
      if (!image.ok()) return Annotate(image.status(), "look up a volume's image");
      if (!image->has_value()) {
        return absl::NotFoundError(
            absl::StrCat("mounts[", i, "].image.image \"", name, "\" is not on this node"));
      }
      ids[name] = (*image)->id;
    }
    const std::lock_guard lock(pod_.mutex);
    container_.record.volume_images = std::move(ids);
    return absl::OkStatus();
  }

  absl::Status FindTarget() {
    const spec::NamespaceOptions& namespaces = spec_.security.namespaces;
    if (namespaces.pid != spec::NamespaceMode::kTarget) return absl::OkStatus();
    const std::lock_guard lock(pod_.mutex);
    const auto target = pod_.containers.find(namespaces.target_id);
    if (target == pod_.containers.end() ||
        target->second->record.phase != ContainerPhase::kRunning) {
      return absl::FailedPreconditionError(
          absl::StrCat("linux.security_context.namespace_options.target_id \"",
                       namespaces.target_id, "\" is no running container of this sandbox"));
    }
    target_pid_ = target->second->pid;
    return absl::OkStatus();
  }

  absl::Status FindLabels() {
    const isolation::SelinuxFacts* facts = service_.host_->Selinux();
    if (facts == nullptr) return absl::OkStatus();
    if (absl::Status status = CheckCanLabel(*facts); !status.ok()) return status;
    const PodRecord pod = RecordOf(pod_);
    if (pod.selinux.mount.empty()) {
      return absl::FailedPreconditionError(
          absl::StrCat("sandbox ", pod.id, " was made without SELinux, so it takes no container"));
    }
    absl::StatusOr<isolation::SelinuxLabels> labels = LabelContainer(
        spec_.security, pod.spec.security, *facts, pod.selinux, service_.CanonicalContexts());
    if (!labels.ok()) return labels.status();
    service_.selinux_levels_.Keep(pod.id, isolation::SelinuxLevelOf(labels->mount));
    const std::lock_guard lock(pod_.mutex);
    container_.record.selinux = *std::move(labels);
    return absl::OkStatus();
  }

  absl::Status RecordIntent() { return service_.Save(pod_); }

  absl::Status LeaseLayers() {
    auto layers = service_.images_->Acquire(id_, RecordOf(pod_, container_).image_id);
    if (!layers.ok()) return Annotate(layers.status(), "lease the image's layers");
    layers_ = *std::move(layers);
    for (const auto& [name, image_id] : RecordOf(pod_, container_).volume_images) {
      auto volume = service_.images_->Acquire(id_, image_id);
      if (!volume.ok()) {
        return Annotate(volume.status(), absl::StrCat("lease the layers of volume ", name));
      }
      volume_layers_[name] = *std::move(volume);
    }
    return absl::OkStatus();
  }

  absl::Status MakeDirectories() {
    const std::string data = service_.DataOf(container_);
    absl::Status status = MakeDirectory(data, kDataMode);
    // The root directory of the container, for everyone in it.
    if (status.ok()) status = MakeDirectory(data + "/upper", 0755);
    if (status.ok()) status = MakeDirectory(data + "/work", kDataMode);
    const std::string log = RecordOf(pod_, container_).log_path;
    if (status.ok() && !log.empty()) {
      status = pods::MakeDirectories(log.substr(0, log.rfind('/')), 0755);
    }
    return status;
  }

  absl::Status ReserveExit() {
    return PreallocateExitRecord(service_.ExitRecordOf(pod_, container_));
  }

  absl::Status MakeCgroup() {
    const std::string cgroup = RecordOf(pod_, container_).cgroup;
    auto made = service_.MakeCgroup(pod_, cgroup, spec_.resources);
    if (!made.ok()) return Annotate(made.status(), "make the container's cgroup");
    cgroup_hold_ = *std::move(made);
    return Annotate(service_.host_->Confine(cgroup, spec_), "make the container's cgroup");
  }

  // What ends hooks, which take their time, when the pod is stopped.
  absl::Status MakeCancel() {
    if (spec_.hooks.empty()) return absl::OkStatus();
    UniqueFd cancel(eventfd(0, EFD_CLOEXEC));
    if (!cancel.valid()) return ErrnoStatus(errno, "eventfd");
    const std::lock_guard lock(pod_.mutex);
    if (!TakesContainers(pod_)) return NotReady(pod_);
    container_.cancel = std::move(cancel);
    return absl::OkStatus();
  }

  absl::Status Launch() {
    const auto supervisor = SupervisorOf(pod_);
    if (supervisor == nullptr) return NotReady(pod_);
    const PodRecord pod = RecordOf(pod_);
    const ContainerRecord container = RecordOf(pod_, container_);
    const absl::StatusOr<LaunchedContainer> launched =
        supervisor->CreateContainer({.pod = pod,
                                     .container = container,
                                     .pod_directory = service_.DirectoryOf(pod_),
                                     .layers = layers_,
                                     .volume_layers = volume_layers_,
                                     .writable = service_.DataOf(container_),
                                     .exit_record = service_.ExitRecordOf(pod_, container_),
                                     .seccomp_file = service_.SeccompFileOf(pod_, container_),
                                     .plan_file = service_.PlanFileOf(pod_, container_),
                                     .target_pid = target_pid_,
                                     .stopped = [this] { return !StillTakesContainers(); },
                                     .cancel_fd = container_.cancel.get()});
    const std::lock_guard lock(pod_.mutex);
    container_.cancel.reset();
    if (!launched.ok()) return launched.status();
    container_.record.user = launched->user;
    container_.record.seccomp_kept = true;
    container_.record.apparmor_profile = launched->apparmor_profile;
    container_.pid = launched->pid;
    return absl::OkStatus();
  }

  Service& service_;
  Pod& pod_;
  Container& container_;
  const std::string id_;
  const spec::ContainerSpec& spec_;
  std::vector<std::string> layers_;
  std::map<std::string, std::vector<std::string>> volume_layers_;
  std::unique_ptr<isolation::CgroupHold> cgroup_hold_;
  int32_t target_pid_ = 0;
};

absl::StatusOr<policy::Profile> Service::ProfileOf(const spec::PodSpec& pod) const {
  absl::StatusOr<policy::Profile> profile = options_.profiles.Find(pod.runtime_handler);
  if (profile.ok()) return profile;
  return absl::FailedPreconditionError(
      absl::StrCat("the sandbox's handler is configured no more: ", profile.status().message()));
}

absl::StatusOr<spec::ContainerSpec> Service::WhatContainerGets(
    const spec::PodSpec& pod, const spec::ContainerSpec& asked) const {
  const absl::StatusOr<policy::Profile> profile = ProfileOf(pod);
  if (!profile.ok()) return profile.status();
  // Before the profile, which has a say in what the devices' files ask for.
  absl::StatusOr<spec::ContainerSpec> spec = cdi::AddDevices(options_.cdi_spec_dirs, asked);
  if (!spec.ok()) return spec.status();
  return policy::Apply(*profile, pod, *std::move(spec));
}

absl::StatusOr<std::string> Service::CreateContainer(const std::string& pod_id,
                                                     const spec::ContainerSpec& spec) {
  const absl::StatusOr<std::shared_ptr<Pod>> found = registry_.Find(pod_id);
  if (!found.ok()) return found.status();
  const std::shared_ptr<Pod>& pod = *found;
  {
    // A repeat needs nothing of what the first call needed, such as a device's file.
    std::unique_lock lock(pod->mutex);
    if (auto answer = JoinContainers(*pod, spec, lock)) return *std::move(answer);
  }
  absl::StatusOr<spec::ContainerSpec> gets = WhatContainerGets(RecordOf(*pod).spec, spec);
  if (!gets.ok()) return gets.status();
  auto container = std::make_shared<Container>();
  container->record.id = NewId();
  if (*gets != spec) container->record.asked = spec;
  container->record.resources = gets->resources;
  container->record.spec = *std::move(gets);
  container->record.created_at = Now();
  {
    std::unique_lock lock(pod->mutex);
    if (auto answer = JoinContainers(*pod, spec, lock)) return *std::move(answer);
    if (!TakesContainers(*pod)) return NotReady(*pod);
    pod->containers_by_key[{spec.metadata.name, spec.metadata.attempt}] = container;
    pod->containers[container->record.id] = container;
  }
  registry_.EnterContainer(pod, container);
  return MakeContainer(pod, container);
}

std::optional<absl::StatusOr<std::string>> Service::JoinContainers(
    Pod& pod, const spec::ContainerSpec& spec, std::unique_lock<std::mutex>& lock) {
  const ContainerKey key{spec.metadata.name, spec.metadata.attempt};
  for (auto other = pod.containers_by_key.find(key); other != pod.containers_by_key.end();
       other = pod.containers_by_key.find(key)) {
    if (auto answer = JoinContainer(pod, other->second, spec, lock)) return answer;
  }
  return std::nullopt;
}

std::optional<absl::StatusOr<std::string>> Service::JoinContainer(
    Pod& pod, std::shared_ptr<Container> container, const spec::ContainerSpec& spec,
    std::unique_lock<std::mutex>& lock) {
  if (container->record.removing) {
    pod.changed.wait(lock, [&] { return container->removed || !container->record.removing; });
    return std::nullopt;
  }
  const ContainerRecord& record = container->record;
  if (const auto field = spec::FirstDifference(record.asked.value_or(record.spec), spec)) {
    return absl::AlreadyExistsError(
        absl::StrCat("container ", record.id,
                     " of this sandbox has this name and attempt with another ", *field));
  }
  pod.changed.wait(lock, [&] { return container->made.has_value(); });
  if (!container->made->ok()) return *container->made;
  return container->record.id;
}

absl::StatusOr<std::string> Service::MakeContainer(const std::shared_ptr<Pod>& pod,
                                                   const std::shared_ptr<Container>& container) {
  absl::Status status = ContainerMaking(*this, *pod, *container).Run();
  if (status.ok()) {
    {
      const std::lock_guard lock(pod->mutex);
      container->record.phase = ContainerPhase::kCreated;
    }
    status = Save(*pod);
  }
  if (!status.ok()) {
    UndoContainer(pod, container, status);
    return status;
  }
  const std::lock_guard lock(pod->mutex);
  container->made = absl::OkStatus();
  pod->changed.notify_all();
  Publish(*pod, container->record.id, ContainerEvent::Type::kCreated);
  if (container->early_exit) SettleExit(pod, container, *container->early_exit);
  return container->record.id;
}

void Service::UndoContainer(const std::shared_ptr<Pod>& pod,
                            const std::shared_ptr<Container>& container, const absl::Status& why) {
  const auto undo = [this, pod, container] {
    absl::Status undone = TearDownContainer(*pod, *container);
    if (undone.ok()) {
      // From here on a restart need not look for it.
      ForgetContainer(*pod, *container);
      undone = Save(*pod);
    }
    return undone;
  };
  const absl::Status undone = undo();
  const std::lock_guard lock(pod->mutex);
  if (!undone.ok()) {
    LOG(WARNING) << LogEvent("undo of a failed container", *pod, *container).With("error", undone);
    retries_.Retry(container->record.id, "undo of a failed container", undo);
  }
  container->made = why;
  // Its name is free for the next call even while the undoing goes on.
  const spec::ContainerMetadata& metadata = container->record.spec.metadata;
  const auto entry = pod->containers_by_key.find({metadata.name, metadata.attempt});
  if (entry != pod->containers_by_key.end() && entry->second == container) {
    pod->containers_by_key.erase(entry);
  }
  pod->changed.notify_all();
}

}  // namespace bulkhead::pods
