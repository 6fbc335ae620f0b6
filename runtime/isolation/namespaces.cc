#include "runtime/isolation/namespaces.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "runtime/isolation/cgroup_join.h"
#include "runtime/kernel/astray.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {

plan::NamespacesPlan::Pid PlanPidNamespace(const spec::NamespaceOptions& container,
                                           const spec::NamespaceOptions& pod) {
  switch (container.pid) {
    case spec::NamespaceMode::kPod:
      return pod.pid == spec::NamespaceMode::kNode ? plan::NamespacesPlan::HOST
                                                   : plan::NamespacesPlan::POD;
    case spec::NamespaceMode::kNode:
      return plan::NamespacesPlan::HOST;
    case spec::NamespaceMode::kTarget:
      return plan::NamespacesPlan::TARGET;
    case spec::NamespaceMode::kContainer:
      break;
  }
  return plan::NamespacesPlan::CONTAINER;
}

absl::StatusOr<NamespaceSlice> ContainerNamespaces(const plan::NamespacesPlan& plan,
                                                   std::span<const UniqueFd> fds,
                                                   int mount_namespace, const PodNamespaces& pod) {
  NamespaceSlice slice{.mount_namespace = mount_namespace,
                       .own_cgroup_namespace = plan.own_cgroup_namespace(),
                       .user_namespace = pod.user_namespace.get()};
  switch (plan.pid()) {
    case plan::NamespacesPlan::CONTAINER:
      slice.clone_flags = CLONE_NEWPID;
      return slice;
    case plan::NamespacesPlan::HOST:
      if (pod.user_namespace.valid()) {
        return absl::InvalidArgumentError("the host's PID namespace in a pod's user namespace");
      }
      return slice;
    case plan::NamespacesPlan::POD:
      if (!pod.pid1.valid()) {
        return absl::FailedPreconditionError("the pod has no PID namespace to share");
      }
      slice.pid_namespace = pod.pid1.get();
      return slice;
    case plan::NamespacesPlan::TARGET: {
      absl::StatusOr<int> target = PlannedFd(true, plan.target_pid_namespace(), fds);
      if (!target.ok()) return target.status();
      slice.pid_namespace = *target;
      return slice;
    }
    default:
      return absl::InvalidArgumentError("a PID namespace mode that this version does not know");
  }
}

NamespaceSlice ExecNamespaces(int container_pidfd, const PodNamespaces& pod) {
  return {.pid_namespace = container_pidfd,
          .by_successor = true,
          .container = container_pidfd,
          .user_namespace = pod.user_namespace.get()};
}

absl::StatusOr<ChildPidNamespace> ChildPidNamespace::Enter(const NamespaceSlice& slice,
                                                           int procfs) {
  ChildPidNamespace entered;
  if (slice.pid_namespace < 0 || slice.by_successor) return entered;
  entered.own_.reset(openat(procfs, "self/ns/pid", O_RDONLY | O_CLOEXEC));
  if (!entered.own_.valid()) return ErrnoStatus(errno, "open the own PID namespace");
  if (setns(slice.pid_namespace, CLONE_NEWPID) == 0) return entered;
  if (errno == ESRCH) return absl::FailedPreconditionError("the process to join has ended");
  return ErrnoStatus(errno, "enter the PID namespace");
}

absl::Status ChildPidNamespace::Restore() {
  if (own_.valid() && setns(own_.get(), CLONE_NEWPID) != 0) {
    return Astray(ErrnoStatus(errno, "return to the supervisor's PID namespace"));
  }
  own_.reset();
  return absl::OkStatus();
}

Outcome EnterNamespacesInside(const NamespaceSlice& slice) {
  if (slice.container >= 0) {
    const int flags = CLONE_NEWNS | CLONE_NEWCGROUP | (slice.by_successor ? CLONE_NEWPID : 0);
    return FromResult(setns(slice.container, flags), "of the container");
  }
  if (slice.own_cgroup_namespace && unshare(CLONE_NEWCGROUP) != 0) {
    return FromResult(-1, "cgroup");
  }
  if (slice.by_successor && setns(slice.pid_namespace, CLONE_NEWPID) != 0) {
    return FromResult(-1, "pid");
  }
  return FromResult(setns(slice.mount_namespace, CLONE_NEWNS), "mnt");
}

Outcome BecomeSuperuserInside(int user_namespace) {
  if (user_namespace < 0) return {};
  if (setns(user_namespace, CLONE_NEWUSER) != 0) return FromResult(-1, "user");
  // Until here this is the host's superuser, the owner of the host's files.
  if (syscall(SYS_setgroups, 0, nullptr) != 0) return FromResult(-1, "setgroups");
  if (syscall(SYS_setresgid, 0, 0, 0) != 0) return FromResult(-1, "setresgid");
  if (syscall(SYS_setresuid, 0, 0, 0) != 0) return FromResult(-1, "setresuid");
  // Which changed credentials may undo (fs.suid_dumpable); the supervisor's memory is in here.
  return FromResult(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "dumpable");
}

Outcome EnterUserNamespaceInside(const NamespaceSlice& slice) {
  if (slice.user_namespace < 0) return {};
  if (Outcome outcome = BecomeSuperuserInside(slice.user_namespace); !outcome.ok()) return outcome;
  if (slice.container >= 0) return {};
  return FromResult(unshare(CLONE_NEWNS), "mnt");
}

}  // namespace bulkhead::isolation
