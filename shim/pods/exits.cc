// The ends of containers: as their supervisor tells them, or as they are found when it is lost.
#include <glog/logging.h>
#include <signal.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"
#include "shim/pods/exit_record.h"
#include "shim/pods/pod_log.h"
#include "shim/pods/service.h"

namespace bulkhead::pods {
namespace {

// What a shell says of a process that SIGKILL ended.
constexpr int32_t kKilledCode = 137;
// Neither 0 nor any code that would tell more than is known.
constexpr int32_t kLostCode = 255;
constexpr char kLostReason[] = "SupervisorLost";
constexpr char kCodeLostReason[] = "ExitCodeLost";

std::string ReasonOf(const supervisor::ExitRecord& exit) {
  if (exit.oom_killed()) return "OOMKilled";
  return exit.code() == 0 ? "Completed" : "Error";
}

bool HasOwnPidNamespace(const Container& container) {
  return container.record.spec.security.namespaces.pid == spec::NamespaceMode::kContainer;
}

// With the pod's mutex held.
void TellEnd(Container& container) {
  const ContainerRecord& record = container.record;
  absl::StatusOr<int32_t> code = record.exit_code;
  if (record.reason == kLostReason || record.reason == kCodeLostReason) {
    code = absl::UnavailableError(record.message);
  }
  for (const std::weak_ptr<ContainerEnd>& end : std::exchange(container.ends, {})) {
    if (const auto client = end.lock()) client->Tell(code);
  }
}

}  // namespace

void Service::OnEvent(const std::shared_ptr<Pod>& pod, const supervisor::Event& event) {
  if (event.has_container_exited()) {
    const supervisor::ContainerExited& exited = event.container_exited();
    OnContainerExited(pod, exited.id(), exited.exit());
  } else if (event.has_log_loss()) {
    OnLogLoss(*pod, event.log_loss());
  } else if (event.has_pid1_exited()) {
    const std::lock_guard lock(pod->mutex);
    pod->pid1 = 0;
    if (pod->made.has_value() && !pod->record.stopping) EndReadiness(*pod, "Pid1Exited");
    settling_.Post([this, pod] { SaveSettled(*pod); });
  }
}

void Service::OnLogLoss(Pod& pod, const supervisor::LogLoss& loss) {
  const std::lock_guard lock(pod.mutex);
  const auto found = pod.containers.find(loss.id());
  if (found == pod.containers.end()) return;
  Container& container = *found->second;
  const LogLoss before =
      std::exchange(container.log_loss, {.lines = loss.lines(), .unfinished = loss.unfinished()});
  LOG_IF(WARNING, before.lines == 0 && loss.lines() > 0)
      << LogEvent("log begins to lose lines", pod, container)
             .With("error", ErrnoStatus(loss.error_number(), "write the log"));
  LOG_IF(WARNING, !before.unfinished && loss.unfinished()) << LogEvent(
      "container ended with an unfinished log: its disk does not answer", pod, container);
}

void Service::EndReadiness(Pod& pod, const std::string& reason) {
  if (pod.record.phase != PodPhase::kReady) return;
  pod.record.phase = PodPhase::kNotReady;
  pod.record.reason = reason;
  pod.changed.notify_all();
  LOG(WARNING) << LogEvent("sandbox is not ready any more", pod).With("reason", reason);
  Publish(pod, pod.record.id, ContainerEvent::Type::kStopped);
}

void Service::SaveSettled(Pod& pod) {
  const absl::Status saved = Save(pod);
  LOG_IF(WARNING, !saved.ok()) << LogEvent("write a pod\'s record", pod).With("error", saved);
}

void Service::OnContainerExited(const std::shared_ptr<Pod>& pod, const std::string& id,
                                const supervisor::ExitRecord& exit) {
  std::unique_lock lock(pod->mutex);
  const auto found = pod->containers.find(id);
  if (found == pod->containers.end()) return;
  const std::shared_ptr<Container> container = found->second;
  if (!container->made.has_value() || container->record.phase == ContainerPhase::kStarting) {
    // A call is under way that must tell its own event first.
    container->early_exit = exit;
    pod->changed.notify_all();
    return;
  }
  SettleExit(pod, container, exit);
}

void Service::SettleExit(const std::shared_ptr<Pod>& pod,
                         const std::shared_ptr<Container>& container,
                         const supervisor::ExitRecord& exit) {
  if (HasOwnPidNamespace(*container)) {
    FinishExit(*pod, *container, exit, "", "");
    return;
  }
  // Its first process took no others along: they end before the container counts as ended.
  settling_.Post([this, pod, container, exit, cgroup = container->record.cgroup] {
    const absl::Status killed = host_->KillCgroup(cgroup, KillDeadline());
    LOG_IF(WARNING, !killed.ok())
        << LogEvent("processes outlive their container", *pod, *container).With("error", killed);
    const std::lock_guard settled(pod->mutex);
    FinishExit(*pod, *container, exit, "", "");
  });
}

void Service::FinishExit(Pod& pod, Container& container, const supervisor::ExitRecord& exit,
                         const std::string& reason, const std::string& message) {
  ContainerRecord& record = container.record;
  if (record.phase == ContainerPhase::kExited) return;
  record.phase = ContainerPhase::kExited;
  if (record.started_at == 0) record.started_at = exit.started_at();
  record.finished_at = exit.finished_at() != 0 ? exit.finished_at() : Now();
  record.exit_code = exit.code();
  record.reason = reason.empty() ? ReasonOf(exit) : reason;
  record.message = message;
  container.pid = 0;
  TellEnd(container);
  pod.changed.notify_all();
  LOG(INFO) << LogEvent("container ended", pod, container)
                   .With("code", record.exit_code)
                   .With("reason", record.reason);
  LOG_IF(WARNING, container.log_loss.lines > 0)
      << LogEvent("container's log lost lines", pod, container)
             .With("lines", container.log_loss.lines);
  Publish(pod, record.id, ContainerEvent::Type::kStopped);
}

void Service::SettleLost(Pod& pod, Container& container) {
  const ContainerRecord record = RecordOf(pod, container);
  if (record.phase == ContainerPhase::kExited) return;
  supervisor::ExitRecord exit;
  std::string reason;
  std::string message;
  const auto written = ReadExitRecord(ExitRecordOf(pod, container));
  const absl::StatusOr<bool> empty = host_->CgroupIsEmpty(record.cgroup);
  const absl::Status killed = host_->KillCgroup(record.cgroup, KillDeadline());
  if (written.ok() && written->has_value()) {
    exit = **written;
  } else if (empty.ok() && !*empty) {
    exit.set_code(kKilledCode);
    exit.set_signal(SIGKILL);
    reason = kLostReason;
    message = "the pod's supervisor was lost, so its containers were killed";
  } else {
    exit.set_code(kLostCode);
    reason = kCodeLostReason;
    message = "the container ended together with its supervisor; its exit code is not known";
  }
  if (!killed.ok()) absl::StrAppend(&message, message.empty() ? "" : "; ", killed.ToString());
  const std::lock_guard lock(pod.mutex);
  FinishExit(pod, container, exit, reason, message);
}

void Service::SettleLostPod(const std::shared_ptr<Pod>& pod) {
  std::shared_ptr<PodSupervisor> supervisor;
  std::vector<std::shared_ptr<Container>> containers;
  {
    const std::lock_guard lock(pod->mutex);
    // A call that makes the pod settles it when it is through, one that ends it has no need to.
    pod->lost_early = !pod->made.has_value();
    if (pod->supervisor_ending || pod->lost_early) return;
    supervisor = pod->supervisor;
    for (const auto& [id, container] : pod->containers) {
      if (container->record.phase != ContainerPhase::kMaking) containers.push_back(container);
    }
  }
  if (supervisor != nullptr) {
    // Its connection may have ended before it did.
    KillSupervisor(*pod, supervisor);
  }
  for (const std::shared_ptr<Container>& container : containers) SettleLost(*pod, *container);
  if (SharesPidNamespace(pod->record.spec)) {
    const std::string pid1 = CgroupBelow(pod->record.cgroup, pod->record.id);
    const absl::Status killed = host_->KillCgroup(pid1, KillDeadline());
    LOG_IF(WARNING, !killed.ok())
        << LogEvent("PID 1 of a lost pod does not end", *pod).With("error", killed);
  }
  {
    const std::lock_guard lock(pod->mutex);
    pod->supervisor = nullptr;
    pod->pid1 = 0;
    EndReadiness(*pod, kLostReason);
  }
  SaveSettled(*pod);
}

void Service::SettleEarlyLoss(const std::shared_ptr<Pod>& pod) {
  if (std::exchange(pod->lost_early, false)) settling_.Post([this, pod] { SettleLostPod(pod); });
}

}  // namespace bulkhead::pods
