// The way back: for a call that failed, for a removal, and for what a crash left half made.
#include <glog/logging.h>

#include "runtime/kernel/status.h"
#include "shim/pods/files.h"
#include "shim/pods/pod_log.h"
#include "shim/pods/service.h"

namespace bulkhead::pods {

absl::Status Service::TearDownPod(Pod& pod) {
  const PodRecord record = RecordOf(pod);
  EndSupervisor(pod);
  absl::Status first = RemovePodCgroups(pod);
  first.Update(ReleaseNetwork(record.id, record.network_namespace));
  // The record goes last: while it is there, a restart tries again.
  if (first.ok()) first.Update(RemoveRecord(pod));
  if (first.ok()) host_ids_.Release(record.id);
  if (first.ok()) selinux_levels_.Release(record.id);
  return first;
}

absl::Status Service::TearDownContainer(Pod& pod, Container& container) {
  const ContainerRecord record = RecordOf(pod, container);
  if (const auto supervisor = SupervisorOf(pod)) {
    // One that is hung or lost keeps nothing that the steps below need.
    const absl::Status removed = supervisor->RemoveContainer(record.id);
    LOG_IF(WARNING, !removed.ok() && !absl::IsNotFound(removed))
        << LogEvent("supervisor keeps a removed container", pod, container).With("error", removed);
  }
  absl::Status first;
  // None is recorded when the making failed before its cgroup was due.
  if (!record.cgroup.empty()) {
    // Mostly nothing is left in it, and killing takes a lock that all cgroups share.
    if (!host_->CgroupIsEmpty(record.cgroup).value_or(false)) {
      first.Update(host_->KillCgroup(record.cgroup, KillDeadline()));
    }
    first.Update(host_->RemoveCgroup(record.cgroup, KillDeadline()));
  }
  first.Update(RemoveTree(DataOf(container)));
  first.Update(RemoveTree(ExitRecordOf(pod, container)));
  first.Update(RemoveTree(SeccompFileOf(pod, container)));
  first.Update(RemoveTree(PlanFileOf(pod, container)));
  images_->Release(record.id);
  return first;
}

void Service::EndSupervisor(Pod& pod) {
  std::shared_ptr<PodSupervisor> supervisor;
  bool unreachable = false;
  {
    const std::lock_guard lock(pod.mutex);
    supervisor = pod.supervisor;
    unreachable = pod.unreachable;
    pod.supervisor_ending = true;
  }
  if (unreachable) {
    const absl::Status ended = host_->KillSupervisor(DirectoryOf(pod), KillDeadline());
    LOG_IF(WARNING, !ended.ok()) << LogEvent("supervisor does not end", pod).With("error", ended);
  }
  if (supervisor == nullptr) return;
  const bool ends = supervisor->Shutdown(options_.answer_bound).ok();
  if (!ends || !supervisor->Wait(KillDeadline()).ok()) KillSupervisor(pod, supervisor);
  const std::lock_guard lock(pod.mutex);
  pod.supervisor = nullptr;
  pod.pid1 = 0;
}

void Service::KillSupervisor(const Pod& pod, const std::shared_ptr<PodSupervisor>& supervisor) {
  supervisor->Kill();
  const absl::Status gone = supervisor->Wait(KillDeadline());
  if (gone.ok()) return;
  LOG(WARNING) << LogEvent("supervisor does not end", pod).With("error", gone);
  // A thread of it may hang in a disk's request; it still has to be reaped when it ends.
  retries_.Retry(pod.record.id + " supervisor", "end of a supervisor",
                 [supervisor] { return supervisor->Wait(absl::Now()); });
}

absl::Status Service::ReleaseNetwork(const std::string& pod_id, const std::string& netns) {
  if (netns.empty()) return absl::OkStatus();
  // The plugins want the namespace: it stays until they are done.
  const absl::Status detached = network_->Del(pod_id);
  if (!detached.ok()) return Annotate(detached, "release the pod's network");
  return Annotate(host_->RemoveNetns(netns), "remove the network namespace");
}

absl::Status Service::RemovePodCgroups(Pod& pod) {
  const PodRecord record = RecordOf(pod);
  absl::Status first;
  if (SharesPidNamespace(record.spec)) {
    const std::string pid1 = CgroupBelow(record.cgroup, record.id);
    first.Update(host_->KillCgroup(pid1, KillDeadline()));
    first.Update(host_->RemoveCgroup(pid1, KillDeadline()));
  }
  cgroups_.Claim(record.id, record.made_cgroups);
  first.Update(cgroups_.Release(record.id, [this](const std::string& path) {
    return host_->RemoveCgroup(path, KillDeadline());
  }));
  return first;
}

}  // namespace bulkhead::pods
