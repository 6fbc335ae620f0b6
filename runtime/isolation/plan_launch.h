// CreateContainer's and Exec's plans.
#ifndef BULKHEAD_RUNTIME_ISOLATION_PLAN_LAUNCH_H_
#define BULKHEAD_RUNTIME_ISOLATION_PLAN_LAUNCH_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/plan.pb.h"
#include "runtime/isolation/cgroup.h"
#include "runtime/isolation/descriptors.h"
#include "runtime/isolation/host_facts.h"
#include "runtime/isolation/resolve.h"
#include "runtime/isolation/seccomp.h"
#include "runtime/isolation/volumes.h"
#include "runtime/spec/container.h"
#include "runtime/spec/image_config.h"
#include "runtime/spec/pod.h"

namespace bulkhead::isolation {

struct LaunchPlanInput {
  std::string container_id;
  const spec::ContainerSpec& spec;
  const spec::PodSpec& pod;
  const spec::ImageConfig& image;
  const HostFacts& host;
  // Borrowed; keeps filters from one plan to the next.
  SeccompCompiler& seccomp;
  // From ReadLocalhostProfile.
  std::string seccomp_profile;
  // The filter that the container was launched with, for an exec; absent for a launch.
  std::optional<plan::SeccompPlan> kept_seccomp;
  // Of PlanSelinux; empty: none.
  SelinuxLabels selinux;
  // The labels that it was launched with, for an exec; absent for a launch.
  std::optional<plan::LsmPlan> kept_lsm;
  // From ResolveUser on the assembled root.
  ResolvedUser user;
  CgroupJoinPaths cgroup;
  // On the host. Empty: output is thrown away.
  std::string log_path;
  // A preallocated file.
  std::string exit_record;
  // From CgroupManager::OomEventsPath; may be empty.
  std::string oom_events;
  std::string pod_oom_events;  // From PodOomEventsPath.
  // LateMounts of the spec, and what opening each told.
  std::vector<spec::Mount> late_mounts;
  std::vector<VolumeFacts> late_volumes;
  // Destinations of Bidirectional volumes, whose peers (OpenedVolume::peer) OpenDescriptors is
  // given in this order.
  std::vector<std::string> shared_volumes;
  // With NamespaceMode::kTarget: /proc/PID/ns/pid of the target.
  std::string target_pid_namespace;
};

struct PlannedLaunch {
  plan::LaunchPlan plan;
  DescriptorList descriptors;
  // See CompiledSeccomp.
  std::vector<std::string> unknown_calls;
};

// INVALID_ARGUMENT naming the field, FAILED_PRECONDITION or UNIMPLEMENTED for a mechanism that
// this host or version has not: nothing that weakens isolation is skipped.
absl::StatusOr<PlannedLaunch> PlanLaunch(const LaunchPlanInput& input);

struct ExecInput {
  // The container as it was launched; `cgroup`, the files and the target are not used.
  const LaunchPlanInput& container;
  std::vector<std::string> args;
  bool terminal = false;
  // Which of standard input, output and error are brought along (OpenDescriptors' `given`, in
  // this order); the others are the null device. Not with a terminal.
  bool in = false;
  bool out = false;
  bool err = false;
  // From CgroupManager::ExecJoinPaths.
  CgroupJoinPaths cgroup;
};

struct PlannedExec {
  plan::ExecPlan plan;
  DescriptorList descriptors;
};

absl::StatusOr<PlannedExec> PlanExec(const ExecInput& input);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_PLAN_LAUNCH_H_
