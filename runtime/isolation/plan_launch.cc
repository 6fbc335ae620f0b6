#include "runtime/isolation/plan_launch.h"

#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/isolation/capabilities.h"
#include "runtime/isolation/default_mounts.h"
#include "runtime/isolation/lsm.h"
#include "runtime/isolation/namespaces.h"
#include "runtime/isolation/plan_root.h"
#include "runtime/isolation/plan_user_namespace.h"
#include "runtime/isolation/plan_volumes.h"
#include "runtime/isolation/process_plan.h"
#include "runtime/isolation/seccomp_listener.h"

namespace bulkhead::isolation {
namespace {

constexpr char kCgroupRoot[] = "/sys/fs/cgroup";
// What systemd gives a service: programs that cannot handle more do not ask for more.
constexpr uint64_t kOpenFilesSoft = 1024;

absl::StatusOr<plan::CredentialsPlan> PlanCredentials(const LaunchPlanInput& input) {
  absl::StatusOr<CapabilitySets> sets =
      PlanCapabilities(input.spec.security, input.host.bounding_set);
  if (!sets.ok()) return sets.status();
  if (absl::Status s = CheckMapped(input.user, input.pod.security.namespaces); !s.ok()) return s;
  plan::CredentialsPlan plan;
  plan.set_uid(input.user.uid);
  plan.set_gid(input.user.gid);
  for (const uint32_t group : input.user.groups) plan.add_groups(group);
  plan.set_bounding(sets->bounding);
  plan.set_effective(sets->effective);
  plan.set_permitted(sets->permitted);
  plan.set_inheritable(sets->inheritable);
  plan.set_ambient(sets->ambient);
  plan.set_no_new_privileges(input.spec.security.no_new_privs);
  return plan;
}

plan::Rlimit OpenFiles(const HostFacts& host) {
  plan::Rlimit rlimit;
  rlimit.set_resource(RLIMIT_NOFILE);
  rlimit.set_soft(std::min(kOpenFilesSoft, host.open_files_hard));
  rlimit.set_hard(host.open_files_hard);
  return rlimit;
}

// A running container's own filter where it was kept, whatever its profile says today.
absl::StatusOr<CompiledSeccomp> PlanSeccomp(const LaunchPlanInput& input, uint64_t capabilities) {
  if (input.kept_seccomp.has_value()) return CompiledSeccomp{.plan = *input.kept_seccomp};
  return input.seccomp.Plan(input.spec.security, capabilities, input.seccomp_profile);
}

// What an agent is told of a container, under the names that containerd gives to it.
ProcessState StateOf(const LaunchPlanInput& input, const std::string& status) {
  const spec::PodMetadata& pod = input.pod.metadata;
  return {.id = input.container_id,
          .status = status,
          .annotations = {{"io.kubernetes.cri.container-name", input.spec.metadata.name},
                          {"io.kubernetes.cri.sandbox-name", pod.name},
                          {"io.kubernetes.cri.sandbox-namespace", pod.name_space},
                          {"io.kubernetes.cri.sandbox-uid", pod.uid}}};
}

// What a container and an exec in it have in common; returns its filter's unknown calls. `status`
// is the container's, as the OCI runtime specification has it.
template <typename Planned>
absl::StatusOr<std::vector<std::string>> AddCommon(const LaunchPlanInput& input,
                                                   const std::string& status, Planned& planned) {
  auto& plan = planned.plan;
  plan.set_container_id(input.container_id);
  absl::StatusOr<plan::CredentialsPlan> credentials = PlanCredentials(input);
  if (!credentials.ok()) return credentials.status();
  absl::StatusOr<CompiledSeccomp> seccomp = PlanSeccomp(input, credentials->bounding());
  if (!seccomp.ok()) return seccomp.status();
  *plan.mutable_credentials() = *std::move(credentials);
  *plan.mutable_seccomp() = std::move(seccomp->plan);
  if (plan.seccomp().has_listener()) {
    const absl::Status listener =
        PlanSeccompListener(input.seccomp.agent(), StateOf(input, status),
                            *plan.mutable_seccomp()->mutable_listener(), planned.descriptors);
    if (!listener.ok()) return listener;
  }
  *plan.add_rlimits() = OpenFiles(input.host);
  plan.set_oom_score_adj(static_cast<int32_t>(input.spec.resources.oom_score_adj));
  absl::StatusOr<plan::LsmPlan> lsm =
      input.kept_lsm ? *input.kept_lsm
                     : PlanLsm(input.spec.security, input.host, input.selinux.process);
  if (!lsm.ok()) return lsm.status();
  *plan.mutable_lsm() = *std::move(lsm);
  return std::move(seccomp->unknown_calls);
}

void AddCgroupHierarchies(const CgroupFacts& facts, plan::LateMountsPlan& plan) {
  for (const CgroupHierarchy& hierarchy : facts.v1) {
    plan::CgroupMount* mount = plan.add_cgroup();
    mount->set_directory(hierarchy.mount_point.substr(hierarchy.mount_point.rfind('/') + 1));
    const bool named = absl::StartsWith(hierarchy.controllers.front(), "name=");
    mount->set_v1_options(
        absl::StrCat(named ? "none," : "", absl::StrJoin(hierarchy.controllers, ",")));
  }
  if (facts.v2.has_value()) {
    plan.add_cgroup()->set_directory(facts.layout == CgroupLayout::kV2 ? "" : "unified");
  }
}

// A container sees its own cgroups, read-only. A privileged one stays in the host's cgroup
// namespace and gets the host's tree: mounting cgroup2 anew from there would reset the options of
// the host's mount (cgroup-v2.rst, "nsdelegate").
void AddCgroupMounts(const LaunchPlanInput& input, PlannedLaunch& planned) {
  if (IsMounted(input.spec.mounts, kCgroupRoot) || IsMounted(input.spec.mounts, "/sys") ||
      IsMounted(input.spec.mounts, "/sys/fs")) {
    return;
  }
  plan::LateMountsPlan& late = *planned.plan.mutable_late_mounts();
  if (!input.spec.security.privileged) {
    AddCgroupHierarchies(input.host.cgroup, late);
    late.set_cgroup_read_only(true);
    return;
  }
  plan::Mount* mount = late.add_mounts();
  mount->set_destination(kCgroupRoot);
  mount->mutable_bind()->set_directory(true);
  *mount->mutable_bind()->mutable_tree() =
      planned.descriptors.Add(DescriptorRequest::Kind::kRecursiveTree, kCgroupRoot);
}

absl::Status AddLateVolumes(const LaunchPlanInput& input, PlannedLaunch& planned) {
  if (input.late_mounts != LateMounts(input.spec) ||
      input.late_mounts.size() != input.late_volumes.size()) {
    return absl::InvalidArgumentError("mounts below /proc or /sys/fs/cgroup were not opened");
  }
  for (size_t i = 0; i < input.late_mounts.size(); ++i) {
    absl::StatusOr<plan::Mount> mount =
        PlanVolume(input.late_mounts[i], input.late_volumes[i], i, input.pod.security.namespaces,
                   planned.descriptors);
    if (!mount.ok()) return mount.status();
    *planned.plan.mutable_late_mounts()->add_mounts() = *std::move(mount);
  }
  return absl::OkStatus();
}

absl::Status AddLateMounts(const LaunchPlanInput& input, PlannedLaunch& planned) {
  plan::LateMountsPlan& late = *planned.plan.mutable_late_mounts();
  late.set_proc(true);
  late.set_mount_label(input.selinux.mount);
  AddCgroupMounts(input, planned);
  if (absl::Status status = AddLateVolumes(input, planned); !status.ok()) return status;
  const spec::SecurityContext& security = input.spec.security;
  late.set_read_only_root(security.readonly_rootfs);
  if (security.privileged) return absl::OkStatus();
  for (const std::string& path : security.masked_paths) late.add_masked_paths(path);
  for (const std::string& path : security.readonly_paths) late.add_read_only_paths(path);
  return absl::OkStatus();
}

// In the order of the given descriptors.
void AddPeerGroups(const LaunchPlanInput& input, PlannedLaunch& planned) {
  for (size_t i = 0; i < input.shared_volumes.size(); ++i) {
    plan::PeerGroup& group = *planned.plan.mutable_late_mounts()->add_peer_groups();
    group.set_destination(input.shared_volumes[i]);
    *group.mutable_peer() = planned.descriptors.AddGiven(i);
  }
}

absl::Status AddNamespaces(const LaunchPlanInput& input, PlannedLaunch& planned) {
  absl::Status status =
      CheckContainerUserNamespace(input.spec.security.namespaces, input.pod.security.namespaces);
  if (!status.ok()) return status;
  plan::NamespacesPlan& namespaces = *planned.plan.mutable_namespaces();
  namespaces.set_pid(
      PlanPidNamespace(input.spec.security.namespaces, input.pod.security.namespaces));
  namespaces.set_own_cgroup_namespace(!input.spec.security.privileged);
  if (namespaces.pid() != plan::NamespacesPlan::TARGET) return absl::OkStatus();
  if (input.target_pid_namespace.empty()) {
    return absl::InvalidArgumentError("namespace_options.target_id: the target does not run");
  }
  *namespaces.mutable_target_pid_namespace() =
      planned.descriptors.Add(DescriptorRequest::Kind::kReadOnly, input.target_pid_namespace);
  return absl::OkStatus();
}

void AddStreams(const LaunchPlanInput& input, PlannedLaunch& planned) {
  using Kind = DescriptorRequest::Kind;
  plan::StreamsPlan& streams = *planned.plan.mutable_streams();
  streams.set_open_stdin(input.spec.stdin);
  streams.set_stdin_once(input.spec.stdin_once);
  if (!input.log_path.empty()) {
    *streams.mutable_log() = planned.descriptors.Add(Kind::kAppend, input.log_path);
  }
  if (!input.exit_record.empty()) {
    *planned.plan.mutable_exit_record() =
        planned.descriptors.Add(Kind::kReadWrite, input.exit_record);
  }
  if (!input.oom_events.empty()) {
    *planned.plan.mutable_oom_events() = planned.descriptors.Add(Kind::kReadOnly, input.oom_events);
  }
  if (!input.pod_oom_events.empty()) {
    *planned.plan.mutable_pod_oom_events() =
        planned.descriptors.Add(Kind::kReadOnly, input.pod_oom_events);
  }
}

}  // namespace

absl::StatusOr<PlannedLaunch> PlanLaunch(const LaunchPlanInput& input) {
  PlannedLaunch planned;
  absl::StatusOr<plan::Process> process =
      PlanProcess(input.spec, input.pod, input.image, input.user,
                  ContainerArgs(input.spec, input.image), input.spec.tty);
  if (!process.ok()) return process.status();
  *planned.plan.mutable_process() = *std::move(process);
  absl::StatusOr<std::vector<std::string>> unknown_calls = AddCommon(input, "creating", planned);
  if (!unknown_calls.ok()) return unknown_calls.status();
  planned.unknown_calls = *std::move(unknown_calls);
  if (absl::Status status = AddNamespaces(input, planned); !status.ok()) return status;
  if (absl::Status status = AddLateMounts(input, planned); !status.ok()) return status;
  AddPeerGroups(input, planned);
  *planned.plan.mutable_cgroup() = PlanCgroupJoin(input.cgroup, planned.descriptors);
  AddStreams(input, planned);
  return planned;
}

absl::StatusOr<PlannedExec> PlanExec(const ExecInput& input) {
  const LaunchPlanInput& container = input.container;
  PlannedExec planned;
  absl::StatusOr<plan::Process> process = PlanProcess(
      container.spec, container.pod, container.image, container.user, input.args, input.terminal);
  if (!process.ok()) return process.status();
  *planned.plan.mutable_process() = *std::move(process);
  if (auto s = AddCommon(container, "running", planned); !s.ok()) return s.status();
  *planned.plan.mutable_cgroup() = PlanCgroupJoin(input.cgroup, planned.descriptors);
  size_t given = 0;
  if (input.in) *planned.plan.mutable_stdin() = planned.descriptors.AddGiven(given++);
  if (input.out) *planned.plan.mutable_stdout() = planned.descriptors.AddGiven(given++);
  if (input.err) *planned.plan.mutable_stderr() = planned.descriptors.AddGiven(given++);
  return planned;
}

}  // namespace bulkhead::isolation
