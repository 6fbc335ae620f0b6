// StartContainer: releases the exec that CreateContainer prepared.
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"
#include "shim/pods/service.h"

namespace bulkhead::pods {
namespace {

// A shell's codes for a program that is not there, and for one that cannot be executed.
int32_t CannotRunCode(const absl::Status& status) {
  switch (ErrnoOf(status)) {
    case ENOENT:
    case ENOTDIR:
      return 127;
    case EACCES:
    case EPERM:
    case ENOEXEC:
    case EISDIR:
      return 126;
    default:
      return 128;
  }
}

const char* StateName(ContainerPhase phase) {
  switch (phase) {
    case ContainerPhase::kMaking:
      return "being created";
    case ContainerPhase::kCreated:
      return "created";
    case ContainerPhase::kStarting:
      return "being started";
    case ContainerPhase::kRunning:
      return "running";
    case ContainerPhase::kExited:
      return "exited";
  }
  return "unknown";
}

absl::Status CannotStart(const Container& container, const std::string& why) {
  return absl::FailedPreconditionError(
      absl::StrCat("container ", container.record.id, " cannot be started: ", why));
}

}  // namespace

absl::Status Service::StartContainer(const std::string& id) {
  const absl::StatusOr<FoundContainer> found = registry_.FindContainer(id);
  if (!found.ok()) return found.status();
  Pod& pod = *found->pod;
  Container& container = *found->container;
  {
    std::unique_lock lock(pod.mutex);
    if (container.record.phase == ContainerPhase::kStarting) return JoinStart(pod, container, lock);
    if (container.record.phase != ContainerPhase::kCreated) {
      return CannotStart(container, absl::StrCat("it is ", StateName(container.record.phase)));
    }
    if (container.record.removing) return CannotStart(container, "it is being removed");
    if (pod.record.stopping || pod.record.phase != PodPhase::kReady) {
      return CannotStart(container, "its sandbox is not ready");
    }
    container.record.phase = ContainerPhase::kStarting;
    container.started.reset();
  }
  const absl::Status status = ReleaseContainer(*found);
  const std::lock_guard lock(pod.mutex);
  container.started = status;
  pod.changed.notify_all();
  return status;
}

absl::Status Service::JoinStart(Pod& pod, Container& container,
                                std::unique_lock<std::mutex>& lock) {
  pod.changed.wait(lock, [&] { return container.started.has_value(); });
  return *container.started;
}

absl::Status Service::ReleaseContainer(const FoundContainer& found) {
  Pod& pod = *found.pod;
  Container& container = *found.container;
  absl::Status saved = Save(pod);
  if (!saved.ok()) {
    const std::lock_guard lock(pod.mutex);
    container.record.phase = ContainerPhase::kCreated;
    if (container.early_exit) SettleExit(found.pod, found.container, *container.early_exit);
    return saved;
  }
  const auto supervisor = SupervisorOf(pod);
  const absl::StatusOr<StartedContainer> started =
      supervisor == nullptr ? absl::UnavailableError("the pod's supervisor is gone")
                            : supervisor->StartContainer(container.record.id);
  std::unique_lock lock(pod.mutex);
  if (started.ok()) {
    // The loss of the supervisor can have ended it meanwhile.
    if (container.record.phase != ContainerPhase::kStarting) return absl::OkStatus();
    container.record.phase = ContainerPhase::kRunning;
    container.record.started_at = started->at;
    if (started->pid != 0) container.pid = started->pid;
    pod.changed.notify_all();
    Publish(pod, container.record.id, ContainerEvent::Type::kStarted);
    if (container.early_exit) SettleExit(found.pod, found.container, *container.early_exit);
    return absl::OkStatus();
  }
  lock.unlock();
  const absl::Status status = Annotate(started.status(), "start container");
  FailStart(pod, container, status);
  saved = Save(pod);
  return status;
}

void Service::FailStart(Pod& pod, Container& container, const absl::Status& why) {
  std::unique_lock lock(pod.mutex);
  if (absl::IsUnavailable(why)) {
    // The supervisor was lost: what became of the container is being found out.
    pod.changed.wait_for(lock, 2 * options_.kill_bound,
                         [&] { return container.record.phase == ContainerPhase::kExited; });
  }
  const std::string cgroup = container.record.cgroup;
  lock.unlock();
  // What did not start in time, as when a seccomp agent holds its exec, may do so yet.
  const absl::Status killed = host_->KillCgroup(cgroup, KillDeadline());
  std::string message(why.message());
  if (!killed.ok()) absl::StrAppend(&message, "; ", killed.ToString());
  supervisor::ExitRecord exit;
  exit.set_code(CannotRunCode(why));
  lock.lock();
  FinishExit(pod, container, exit, "ContainerCannotRun", message);
}

}  // namespace bulkhead::pods
