// RunPodSandbox: intent, network beside supervisor, set-up, ready. What fails is undone by
// TearDownPod, the same that undoes after a crash.
#include <glog/logging.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <future>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/isolation/plan_user_namespace.h"
#include "runtime/kernel/status.h"
#include "runtime/spec/json.h"
#include "shim/network/pod_network.h"
#include "shim/pods/ids.h"
#include "shim/pods/pod_files.h"
#include "shim/pods/pod_log.h"
#include "shim/pods/pod_network_request.h"
#include "shim/pods/service.h"
#include "shim/policy/apply.h"

namespace bulkhead::pods {

class Service::SandboxMaking {
 public:
  SandboxMaking(Service& service, std::shared_ptr<Pod> pod)
      : service_(service), pod_(std::move(pod)), record_(RecordOf(*pod_)) {}
  ~SandboxMaking() { AbandonNetwork(); }

  absl::Status Run() {
    using Step = absl::Status (SandboxMaking::*)();
    constexpr Step kSteps[] = {
        &SandboxMaking::RecordIntent,    &SandboxMaking::MakeUserNamespace,
        &SandboxMaking::StartNetwork,    &SandboxMaking::MakePid1Cgroup,
        &SandboxMaking::SpawnSupervisor, &SandboxMaking::SetUpSupervisor,
        &SandboxMaking::FinishNetwork,   &SandboxMaking::WriteFiles,
    };
    for (const Step step : kSteps) {
      const absl::Status status = Cancelled() ? CancelledStatus() : (this->*step)();
      if (!status.ok()) {
        AbandonNetwork();
        return Cancelled() ? CancelledStatus() : status;
      }
    }
    return absl::OkStatus();
  }

 private:
  bool HostNetwork() const { return record_.network_namespace.empty(); }

  bool Cancelled() {
    const std::lock_guard lock(pod_->mutex);
    return pod_->cancelled;
  }
  static absl::Status CancelledStatus() {
    return absl::CancelledError("the sandbox was stopped while it was being made");
  }

  absl::Status RecordIntent() { return service_.Save(*pod_); }

  // Before the namespaces that it owns.
  absl::Status MakeUserNamespace() {
    const spec::NamespaceOptions& namespaces = record_.spec.security.namespaces;
    const spec::UserNamespace* own = spec::OwnUserNamespace(namespaces);
    if (own == nullptr) return absl::OkStatus();
    if (absl::Status s = isolation::CheckPodUserNamespace(namespaces); !s.ok()) return s;
    auto owned = service_.host_->CreateUserNamespace(*own);
    if (!owned.ok()) return owned.status();
    owned_ = *std::move(owned);
    return absl::OkStatus();
  }

  // The namespace and the CNI plugins, on a thread of their own: they take longer than all else.
  absl::Status StartNetwork() {
    if (HostNetwork()) return absl::OkStatus();
    UniqueFd cancel(eventfd(0, EFD_CLOEXEC));
    if (!cancel.valid()) return ErrnoStatus(errno, "eventfd");
    absl::StatusOr<network::PodNetworkRequest> request = NetworkRequestFor(record_, cancel.get());
    if (!request.ok()) return request.status();
    {
      const std::lock_guard lock(pod_->mutex);
      pod_->cancel = std::move(cancel);
    }
    namespace_made_ = namespace_promise_.get_future();
    try {
      attaching_ = std::thread([this, wanted = *std::move(request)] { Attach(wanted); });
    } catch (const std::system_error& error) {
      return absl::ResourceExhaustedError(absl::StrCat("start a thread: ", error.what()));
    }
    return absl::OkStatus();
  }

  void Attach(const network::PodNetworkRequest& request) {
    const absl::Status made = service_.host_->CreateNetns(record_.id, owned_.network.get());
    namespace_promise_.set_value(made);
    if (made.ok()) attached_ = service_.network_->Add(request);
  }

  absl::Status MakePid1Cgroup() {
    if (!SharesPidNamespace(record_.spec)) return absl::OkStatus();
    auto made = service_.MakeCgroup(*pod_, CgroupBelow(record_.cgroup, record_.id), {});
    if (made.ok()) pid1_cgroup_hold_ = *std::move(made);
    return made.status();
  }

  absl::Status SpawnSupervisor() {
    absl::StatusOr<std::shared_ptr<PodSupervisor>> supervisor = service_.host_->SpawnSupervisor(
        record_.id, service_.DirectoryOf(*pod_), service_.CallbacksFor(pod_));
    if (!supervisor.ok()) return Annotate(supervisor.status(), "start the pod's supervisor");
    const std::lock_guard lock(pod_->mutex);
    pod_->supervisor = *std::move(supervisor);
    return absl::OkStatus();
  }

  absl::Status SetUpSupervisor() {
    if (namespace_made_.valid()) {
      const absl::Status made = namespace_made_.get();
      if (!made.ok()) return Annotate(made, "make the network namespace");
    }
    const std::string pid1_cgroup =
        SharesPidNamespace(record_.spec) ? CgroupBelow(record_.cgroup, record_.id) : "";
    PodSetup setup{.pod = record_, .pid1_cgroup = pid1_cgroup};
    if (owned_.user.valid()) {
      for (UniqueFd* space : {&owned_.user, &owned_.ipc, &owned_.uts}) {
        setup.user_namespace.push_back(std::move(*space));
      }
    }
    const absl::StatusOr<int32_t> pid1 = SupervisorOf(*pod_)->SetUp(std::move(setup));
    if (!pid1.ok()) return Annotate(pid1.status(), "set up the pod");
    const std::lock_guard lock(pod_->mutex);
    pod_->pid1 = *pid1;
    return absl::OkStatus();
  }

  absl::Status FinishNetwork() {
    if (HostNetwork()) return absl::OkStatus();
    attaching_.join();
    if (!attached_.ok()) return Annotate(attached_.status(), "attach the pod to the network");
    const std::lock_guard lock(pod_->mutex);
    pod_->cancel.reset();
    pod_->record.ips = attached_->ips;
    return absl::OkStatus();
  }

  // Ends the plugins early; they undo themselves.
  void AbandonNetwork() {
    if (!attaching_.joinable()) return;
    {
      const std::lock_guard lock(pod_->mutex);
      eventfd_write(pod_->cancel.get(), 1);
    }
    attaching_.join();
  }

  absl::Status WriteFiles() {
    return WritePodFiles(record_.spec, RecordOf(*pod_).ips, record_.selinux.mount,
                         service_.DirectoryOf(*pod_));
  }

  Service& service_;
  const std::shared_ptr<Pod> pod_;
  const PodRecord record_;            // As it was at the beginning.
  isolation::OwnedNamespaces owned_;  // Of a pod with a user namespace.
  std::unique_ptr<isolation::CgroupHold> pid1_cgroup_hold_;
  std::thread attaching_;
  std::promise<absl::Status> namespace_promise_;
  std::future<absl::Status> namespace_made_;
  absl::StatusOr<network::PodNetworkResult> attached_ = absl::UnknownError("not attached");
};

absl::StatusOr<std::string> Service::RunPodSandbox(const spec::PodSpec& spec) {
  const absl::StatusOr<policy::Profile> profile = options_.profiles.Find(spec.runtime_handler);
  if (!profile.ok()) return profile.status();
  const absl::StatusOr<spec::PodSpec> applied = policy::Apply(*profile, spec);
  if (!applied.ok()) return applied.status();
  const absl::Status apart = host_ids_.CheckApart(spec.security.namespaces);
  if (!apart.ok()) return apart;
  while (true) {
    auto pod = std::make_shared<Pod>();
    pod->record.id = NewId();
    pod->record.spec = *applied;
    if (*applied != spec) pod->record.asked = spec;
    pod->record.resources = spec.resources;
    pod->record.created_at = Now();
    absl::StatusOr<std::string> cgroup = PodCgroup(spec, pod->record.id, options_.cgroup_parents);
    if (!cgroup.ok()) return cgroup.status();
    pod->record.cgroup = *std::move(cgroup);
    if (!OnHostNetwork(spec)) pod->record.network_namespace = host_->NetnsPath(pod->record.id);

    const Registry::Claim claim = registry_.Enter(pod);
    if (claim.ours) return MakePod(pod);
    if (auto answer = JoinPod(*claim.pod, spec)) return *std::move(answer);
  }
}

absl::Status Service::GiveHostIds(Pod& pod) {
  if (!policy::NeedsHostIds(pod.record.spec)) return absl::OkStatus();
  absl::StatusOr<spec::UserNamespace> space = host_ids_.Take(pod.record.id);
  if (!space.ok()) return space.status();
  const std::lock_guard lock(pod.mutex);
  pod.record.spec.security.namespaces.user = *std::move(space);
  return absl::OkStatus();
}

absl::Status Service::GiveLabel(Pod& pod) {
  const isolation::SelinuxFacts* facts = host_->Selinux();
  if (facts == nullptr) return absl::OkStatus();
  if (absl::Status status = CheckCanLabel(*facts); !status.ok()) return status;
  const spec::SecurityContext& security = pod.record.spec.security;
  std::string level = security.selinux.has_value() ? security.selinux->level : "";
  if (!level.empty()) {
    selinux_levels_.Keep(pod.record.id, level);
  } else if (!facts->process.level.empty()) {
    absl::StatusOr<std::string> taken = selinux_levels_.Take(pod.record.id);
    if (!taken.ok()) return taken.status();
    level = *std::move(taken);
  }
  absl::StatusOr<isolation::PodSelinux> given =
      LabelPod(security, *facts, level, CanonicalContexts());
  if (!given.ok()) return given.status();
  const std::lock_guard lock(pod.mutex);
  pod.record.selinux = *std::move(given);
  return absl::OkStatus();
}

CanonicalContext Service::CanonicalContexts() const {
  return [host = host_](const std::string& label) { return host->CanonicalSelinuxContext(label); };
}

absl::StatusOr<std::string> Service::MakePod(const std::shared_ptr<Pod>& pod) {
  absl::Status status = GiveHostIds(*pod);
  if (status.ok()) status = GiveLabel(*pod);
  if (status.ok()) status = SandboxMaking(*this, pod).Run();
  if (status.ok()) {
    std::unique_lock lock(pod->mutex);
    pod->record.phase = PodPhase::kReady;
    lock.unlock();
    status = Save(*pod);
  }
  if (!status.ok()) {
    {
      const std::lock_guard lock(pod->mutex);
      pod->record.phase = PodPhase::kMaking;
    }
    const absl::Status undone = TearDownPod(*pod);
    if (!undone.ok()) {
      LOG(WARNING) << LogEvent("undo of a failed sandbox", *pod).With("error", undone);
      retries_.Retry(pod->record.id, "undo of a failed sandbox",
                     [this, pod] { return TearDownPod(*pod); });
    }
    registry_.Forget(*pod);
  }
  const std::lock_guard lock(pod->mutex);
  pod->made = status;
  pod->removed = !status.ok();
  pod->changed.notify_all();
  if (!status.ok()) return status;
  Publish(*pod, pod->record.id, ContainerEvent::Type::kCreated);
  Publish(*pod, pod->record.id, ContainerEvent::Type::kStarted);
  SettleEarlyLoss(pod);
  return pod->record.id;
}

std::optional<absl::StatusOr<std::string>> Service::JoinPod(Pod& pod, const spec::PodSpec& spec) {
  std::unique_lock lock(pod.mutex);
  pod.changed.wait(lock, [&] { return !pod.record.removing || pod.removed; });
  if (pod.made.has_value() && pod.removed) return std::nullopt;
  const PodRecord& record = pod.record;
  if (const auto field = spec::FirstDifference(record.asked.value_or(record.spec), spec)) {
    return absl::AlreadyExistsError(absl::StrCat(
        "sandbox ", record.id, " has this name, namespace, uid and attempt with another ", *field));
  }
  pod.changed.wait(lock, [&] { return pod.made.has_value(); });
  if (!pod.made->ok()) return *pod.made;
  return pod.record.id;
}

}  // namespace bulkhead::pods
