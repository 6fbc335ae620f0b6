#include "runtime/isolation/launch.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/isolation/cgroup_join.h"
#include "runtime/isolation/launch_steps.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

// What both kinds of launch share.
struct Launch {
  LaunchSlices slices;
  int v2_cgroup = -1;
  Terminal terminal;
  SeccompAgent agent;
  UniqueFd pid_namespace;
};

template <typename Plan>
absl::Status AddSuccessor(const Plan& plan, Launch& launch) {
  const bool terminal = plan.process().terminal();
  if (!launch.slices.namespaces.by_successor) return absl::OkStatus();
  if (!AllowsSuccessor(plan.seccomp(), terminal)) {
    launch.slices.namespaces.by_successor = false;
    return absl::OkStatus();
  }
  auto successor = SuccessorSlice::Make(launch.slices.program, terminal);
  if (!successor.ok()) return successor.status();
  launch.slices.successor.emplace(*std::move(successor));
  return absl::OkStatus();
}

template <typename Plan>
absl::Status AddCommon(const Plan& plan, std::span<const UniqueFd> fds, int root,
                       const PodNamespaces& pod, Launch& launch) {
  absl::StatusOr<CgroupFds> cgroup = PlannedCgroup(plan.cgroup(), fds);
  if (!cgroup.ok()) return cgroup.status();
  absl::StatusOr<OomScoreSlice> oom_score = OomScoreOutside(plan.oom_score_adj(), pod.procfs.get());
  if (!oom_score.ok()) return oom_score.status();
  absl::StatusOr<ProgramSlice> program = ProgramOutside(plan.process());
  if (!program.ok()) return program.status();
  launch.v2_cgroup = cgroup->v2_directory;
  launch.slices.oom_score = *std::move(oom_score);
  launch.slices.cgroup_tasks = std::move(cgroup->v1_tasks);
  launch.slices.program = *std::move(program);
  launch.slices.rlimits = &plan.rlimits();
  launch.slices.credentials = &plan.credentials();
  launch.slices.seccomp = &plan.seccomp();
  absl::StatusOr<SeccompAgent> agent = SeccompAgentOutside(plan.seccomp(), fds);
  if (!agent.ok()) return agent.status();
  launch.agent = *std::move(agent);
  absl::StatusOr<LsmSlice> lsm = LsmOutside(plan.lsm(), pod.procfs.get());
  if (!lsm.ok()) return lsm.status();
  launch.slices.lsm = *std::move(lsm);
  absl::StatusOr<uint32_t> owner = HostId(pod.uids, plan.credentials().uid());
  if (!owner.ok()) return Annotate(owner.status(), "user id");
  launch.slices.streams.owner = *owner;
  for (int& stream : launch.slices.streams.streams) {
    if (stream < 0) stream = pod.null_device.get();
  }
  if (absl::Status status = AddSuccessor(plan, launch); !status.ok()) return status;
  if (!plan.process().terminal()) return absl::OkStatus();
  absl::StatusOr<Terminal> terminal = OpenTerminal(root);
  if (!terminal.ok()) return terminal.status();
  launch.terminal = *std::move(terminal);
  launch.slices.streams.terminal = launch.terminal.slave.get();
  return absl::OkStatus();
}

// Leaves the shared PID namespace to a successor where nothing else has to be in it.
absl::Status StayOutside(const PodNamespaces& pod, Launch& launch) {
  NamespaceSlice& namespaces = launch.slices.namespaces;
  if (namespaces.pid_namespace < 0) return absl::OkStatus();
  if (namespaces.pid_namespace == pod.pid1.get()) {
    const std::string path = absl::StrCat(pod.pid1_pid, "/ns/pid");
    launch.pid_namespace.reset(openat(pod.procfs.get(), path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!launch.pid_namespace.valid()) return ErrnoStatus(errno, "open the pod's PID namespace");
    namespaces.pid_namespace = launch.pid_namespace.get();
  }
  absl::StatusOr<bool> made = MakeProcOutside(launch.slices.late_mounts, namespaces.pid_namespace);
  if (!made.ok()) return made.status();
  namespaces.by_successor = *made;
  return absl::OkStatus();
}

absl::StatusOr<CloneResult> CloneChild(const Launch& launch, int procfs, int control) {
  absl::StatusOr<ChildPidNamespace> space =
      ChildPidNamespace::Enter(launch.slices.namespaces, procfs);
  if (!space.ok()) return space.status();
  absl::StatusOr<CloneResult> child = Clone(launch.slices.namespaces.clone_flags, launch.v2_cgroup);
  if (child.ok() && child->pid == 0) RunLaunchSteps(launch.slices, control);
  if (absl::Status status = space->Restore(); !status.ok()) {
    if (child.ok()) KillAndReap(child->pidfd.get());
    return status;
  }
  return child;
}

// `container` is its first process, 0 for the one that is started.
absl::StatusOr<LaunchedProcess> Start(Launch launch, pid_t container, const PodNamespaces& pod) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
    return ErrnoStatus(errno, "socketpair");
  }
  LaunchedProcess process{.control = UniqueFd(pair[0])};
  UniqueFd child_end(pair[1]);
  absl::StatusOr<CloneResult> child = CloneChild(launch, pod.procfs.get(), child_end.get());
  if (!child.ok()) return child.status();
  process.pid = child->pid;
  process.pidfd = std::move(child->pidfd);
  process.terminal = std::move(launch.terminal.master);
  process.agent = std::move(launch.agent);
  // A successor's number is not known before its agent has to be.
  AddPids(process.pid, container != 0 ? container : process.pid, process.agent);
  if (launch.slices.successor) process.successor = std::move(launch.slices.successor->pid());
  return process;
}

}  // namespace

absl::StatusOr<LaunchedProcess> LaunchContainer(const plan::LaunchPlan& plan,
                                                std::span<const UniqueFd> fds,
                                                const PreparedRoot& root, const PodNamespaces& pod,
                                                const StandardStreams& streams) {
  Launch launch;
  absl::StatusOr<NamespaceSlice> namespaces =
      ContainerNamespaces(plan.namespaces(), fds, root.mount_namespace.get(), pod);
  if (!namespaces.ok()) return namespaces.status();
  absl::StatusOr<LateMountSlice> late_mounts =
      LateMountsOutside(plan.late_mounts(), fds, pod.user_namespace.get());
  if (!late_mounts.ok()) return late_mounts.status();
  launch.slices.namespaces = *namespaces;
  launch.slices.late_mounts = *std::move(late_mounts);
  if (absl::Status status = StayOutside(pod, launch); !status.ok()) return status;
  launch.slices.streams = {.streams = {streams.in, streams.out, streams.err}, .console = true};
  absl::Status status = AddCommon(plan, fds, root.root.get(), pod, launch);
  if (!status.ok()) return status;
  return Start(std::move(launch), 0, pod);
}

absl::StatusOr<LaunchedProcess> LaunchExec(const plan::ExecPlan& plan,
                                           std::span<const UniqueFd> fds,
                                           const RunningContainer& container,
                                           const PodNamespaces& pod) {
  const absl::Status running = SendSignal(container.pidfd, 0);
  if (absl::IsNotFound(running)) {
    return absl::FailedPreconditionError("the process to join has ended");
  }
  if (!running.ok()) return running;
  Launch launch;
  absl::StatusOr<int> in = PlannedFd(plan.has_stdin(), plan.stdin(), fds);
  if (!in.ok()) return in.status();
  absl::StatusOr<int> out = PlannedFd(plan.has_stdout(), plan.stdout(), fds);
  if (!out.ok()) return out.status();
  absl::StatusOr<int> err = PlannedFd(plan.has_stderr(), plan.stderr(), fds);
  if (!err.ok()) return err.status();
  launch.slices.streams = {.streams = {*in, *out, *err}};
  launch.slices.namespaces = ExecNamespaces(container.pidfd, pod);
  launch.slices.held = false;
  absl::Status status = AddCommon(plan, fds, container.root, pod, launch);
  if (!status.ok()) return status;
  return Start(std::move(launch), container.pid, pod);
}

}  // namespace bulkhead::isolation
