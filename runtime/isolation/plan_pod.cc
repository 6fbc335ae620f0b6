#include "runtime/isolation/plan_pod.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/isolation/plan_user_namespace.h"
#include "runtime/isolation/pod_namespaces.h"
#include "runtime/isolation/sysctls.h"

namespace bulkhead::isolation {
namespace {

constexpr size_t kMaxHostname = 64;  // __NEW_UTS_LEN.

// The kernel's OOM killer takes a supervisor last; -1000 would exempt it altogether.
constexpr int kSupervisorOomScoreAdj = -999;

absl::Status CheckHostname(const std::string& hostname) {
  if (hostname.size() <= kMaxHostname && hostname.find('\0') == std::string::npos) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("hostname: \"", hostname, "\" is longer than ", kMaxHostname, " bytes"));
}

void AddUserNamespace(const spec::UserNamespace& space, PlannedPod& planned) {
  plan::UserNamespacePlan& plan = *planned.plan.mutable_user_namespace();
  *plan.mutable_user() = planned.descriptors.AddGiven(0);
  *plan.mutable_ipc() = planned.descriptors.AddGiven(1);
  *plan.mutable_uts() = planned.descriptors.AddGiven(2);
  SetIdMap(space.uids, *plan.mutable_uids());
  SetIdMap(space.gids, *plan.mutable_gids());
}

absl::Status AddSharedMemory(const PodInput& input, PlannedPod& planned) {
  if (planned.plan.own_ipc_namespace()) {
    if (input.shm_size == 0) return absl::InvalidArgumentError("shm size: 0");
    planned.plan.set_shm_size(input.shm_size);
    return absl::OkStatus();
  }
  if (!input.host.dev_shm) {
    return absl::FailedPreconditionError("the host, whose IPC namespace is asked, has no /dev/shm");
  }
  *planned.plan.mutable_host_shm() =
      planned.descriptors.Add(DescriptorRequest::Kind::kTree, "/dev/shm");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PlannedPod> PlanPod(const PodInput& input) {
  const spec::NamespaceOptions& options = input.spec.security.namespaces;
  const bool own_network = options.network != spec::NamespaceMode::kNode;
  if (own_network == input.network_namespace.empty()) {
    return absl::InvalidArgumentError(own_network ? "a pod network without a network namespace"
                                                  : "a network namespace for the host network");
  }
  if (absl::Status status = CheckPodUserNamespace(options); !status.ok()) return status;
  PlannedPod planned;
  if (const spec::UserNamespace* own = spec::OwnUserNamespace(options)) {
    AddUserNamespace(*own, planned);
  }
  planned.plan.set_own_ipc_namespace(options.ipc != spec::NamespaceMode::kNode);
  // The CRI has no option for UTS: a pod in the host's network has the host's name.
  planned.plan.set_own_uts_namespace(own_network);
  planned.plan.set_shared_pid_namespace(options.pid == spec::NamespaceMode::kPod);
  planned.plan.set_oom_score_adj(kSupervisorOomScoreAdj);
  planned.plan.set_mount_label(input.selinux.mount);
  planned.plan.set_process_label(input.selinux.process);
  if (own_network) {
    if (absl::Status status = CheckHostname(input.spec.hostname); !status.ok()) return status;
    planned.plan.set_hostname(input.spec.hostname);
    *planned.plan.mutable_network_namespace() =
        planned.descriptors.Add(DescriptorRequest::Kind::kReadOnly, input.network_namespace);
  }
  if (absl::Status status = AddSharedMemory(input, planned); !status.ok()) return status;
  absl::StatusOr<std::vector<plan::Sysctl>> sysctls = PlanSysctls(
      input.spec.sysctls,
      {.network = own_network, .ipc = planned.plan.own_ipc_namespace(), .uts = own_network});
  if (!sysctls.ok()) return sysctls.status();
  for (plan::Sysctl& sysctl : *sysctls) *planned.plan.add_sysctls() = std::move(sysctl);
  *planned.plan.mutable_supervisor_cgroup() =
      PlanCgroupJoin(input.supervisor_cgroup, planned.descriptors);
  if (planned.plan.shared_pid_namespace()) {
    *planned.plan.mutable_pid1_cgroup() = PlanCgroupJoin(input.pid1_cgroup, planned.descriptors);
  }
  return planned;
}

}  // namespace bulkhead::isolation
