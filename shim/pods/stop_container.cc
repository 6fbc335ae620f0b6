// StopContainer: the stop signal, the grace period counted from the call, then SIGKILL to all of
// the container by its cgroup. It ends whatever the container and its supervisor do.
#include <glog/logging.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "shim/pods/pod_log.h"
#include "shim/pods/service.h"
#include "shim/pods/signals.h"

namespace bulkhead::pods {
namespace {

using Clock = std::chrono::steady_clock;

// Longer would overflow the clock; nobody waits for more than ten years.
constexpr std::chrono::seconds kLongestGrace{std::chrono::hours{24 * 3650}};

bool IsUp(const Container& container) {
  return container.record.phase == ContainerPhase::kStarting ||
         container.record.phase == ContainerPhase::kRunning;
}

}  // namespace

absl::Status Service::StopContainer(const std::string& id, std::chrono::seconds grace) {
  const absl::StatusOr<FoundContainer> found = registry_.FindContainer(id);
  if (absl::IsNotFound(found.status())) return absl::OkStatus();
  if (!found.ok()) return found.status();
  Pod& pod = *found->pod;
  Container& container = *found->container;
  const Clock::time_point deadline =
      Clock::now() + std::clamp(grace, std::chrono::seconds{0}, kLongestGrace);

  std::unique_lock lock(pod.mutex);
  if (!IsUp(container)) return absl::OkStatus();
  container.stop_deadline = std::min(container.stop_deadline.value_or(deadline), deadline);
  // Whoever waits out a longer period waits for this one now.
  pod.changed.notify_all();
  if (grace.count() > 0) {
    // What is only being started gets its signal once it can receive it.
    pod.changed.wait_until(lock, *container.stop_deadline,
                           [&] { return container.record.phase != ContainerPhase::kStarting; });
    if (IsUp(container) && !std::exchange(container.stop_signalled, true)) {
      const std::string name = container.record.stop_signal;
      lock.unlock();
      SendStopSignal(pod, container.record.id, name,
                     std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()));
      lock.lock();
    }
    while (IsUp(container) && Clock::now() < *container.stop_deadline) {
      const Clock::time_point until = *container.stop_deadline;
      pod.changed.wait_until(lock, until);
    }
  }
  if (!IsUp(container)) return absl::OkStatus();
  lock.unlock();
  return KillContainer(pod, container);
}

void Service::SendStopSignal(Pod& pod, const std::string& id, const std::string& name,
                             std::chrono::milliseconds timeout) {
  const auto supervisor = SupervisorOf(pod);
  const absl::StatusOr<int> number = SignalNumber(name);
  if (supervisor == nullptr || !number.ok()) return;
  const absl::Status sent = supervisor->SignalContainer(
      id, *number, std::clamp(timeout, std::chrono::milliseconds{0}, options_.answer_bound));
  // The kill at the end of the grace period comes in any case.
  LOG_IF(WARNING, !sent.ok() && !absl::IsNotFound(sent))
      << LogEvent("stop signal not delivered", pod)
             .With("container_id", id)
             .With("signal", name)
             .With("error", sent);
}

bool Service::AwaitExit(Pod& pod, const Container& container, Clock::time_point until) {
  std::unique_lock lock(pod.mutex);
  return pod.changed.wait_until(lock, until,
                                [&] { return container.record.phase == ContainerPhase::kExited; });
}

bool Service::KillHungSupervisor(Pod& pod) {
  const auto supervisor = SupervisorOf(pod);
  if (supervisor == nullptr) return true;
  if (supervisor->Ping(options_.answer_bound).ok()) return false;
  LOG(WARNING) << LogEvent("supervisor does not answer and is killed", pod);
  supervisor->Kill();
  // Only a log write that hangs can keep it from being gone: its other thread tells nothing more.
  supervisor->Wait(KillDeadline()).IgnoreError();
  return true;
}

absl::Status Service::KillContainer(Pod& pod, Container& container) {
  // An answering supervisor tells the end at once; so short a wait costs a hung one no more.
  constexpr std::chrono::milliseconds kUsual{500};
  const ContainerRecord record = RecordOf(pod, container);
  // A failed making that could not be undone yet: no end of it will ever be told.
  const bool unmade = record.phase == ContainerPhase::kMaking;
  if (unmade && record.cgroup.empty()) return absl::OkStatus();
  const absl::Status killed = host_->KillCgroup(record.cgroup, KillDeadline());
  if (unmade) return killed;
  if (AwaitExit(pod, container, Clock::now() + kUsual)) return absl::OkStatus();
  const bool alone = KillHungSupervisor(pod);
  // Nobody is left to tell its end, so that it is found out here.
  if (killed.ok() && alone) {
    SettleLost(pod, container);
    return absl::OkStatus();
  }
  if (AwaitExit(pod, container, Clock::now() + 2 * options_.kill_bound)) return absl::OkStatus();
  if (!killed.ok()) return killed;
  return absl::DeadlineExceededError(
      absl::StrCat("container ", container.record.id, " was killed, but its end is not known yet"));
}

}  // namespace bulkhead::pods
