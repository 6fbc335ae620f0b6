// Which namespaces a process enters. The pod's network, IPC and UTS namespaces need no step: the
// supervisor lives in them.
#ifndef BULKHEAD_RUNTIME_ISOLATION_NAMESPACES_H_
#define BULKHEAD_RUNTIME_ISOLATION_NAMESPACES_H_

#include <cstdint>
#include <span>

#include "absl/status/statusor.h"
#include "proto/plan.pb.h"
#include "runtime/isolation/pod_namespaces.h"
#include "runtime/isolation/steps.h"
#include "runtime/kernel/fd.h"
#include "runtime/spec/security.h"

namespace bulkhead::isolation {

// The namespace a container of a pod with these options gets. A pod that uses the host's has no
// other for its containers to share.
plan::NamespacesPlan::Pid PlanPidNamespace(const spec::NamespaceOptions& container,
                                           const spec::NamespaceOptions& pod);

// What the two steps need; all descriptors are borrowed.
struct NamespaceSlice {
  uint64_t clone_flags = 0;
  // A PID namespace, or a pidfd of a process in it, for the child; -1: the supervisor's.
  int pid_namespace = -1;
  // Whether it is the child's own child that is made in that.
  bool by_successor = false;
  int mount_namespace = -1;
  bool own_cgroup_namespace = false;
  // Of a running container, whose mount and cgroup namespaces an exec enters; else -1.
  int container = -1;
  // The pod's; -1: the host's.
  int user_namespace = -1;
};

absl::StatusOr<NamespaceSlice> ContainerNamespaces(const plan::NamespacesPlan& plan,
                                                   std::span<const UniqueFd> fds,
                                                   int mount_namespace, const PodNamespaces& pod);
NamespaceSlice ExecNamespaces(int container_pidfd, const PodNamespaces& pod);

// Outside: lets the next child be made in its PID namespace, unless a successor is. Restore must be
// called in the parent; its error is Astray.
class ChildPidNamespace {
 public:
  static absl::StatusOr<ChildPidNamespace> Enter(const NamespaceSlice& slice, int procfs);
  absl::Status Restore();

 private:
  UniqueFd own_;
};

// Inside, after the cgroups were joined: a new cgroup namespace has its root there.
Outcome EnterNamespacesInside(const NamespaceSlice& slice);

// Inside, once nothing needs the host's superuser any more: joins the user namespace as its
// superuser. Nothing is done for -1.
Outcome BecomeSuperuserInside(int user_namespace);

// The same, and for a container's first process a copy of its mount namespace that the user
// namespace owns. The kernel locks what a less privileged copy gets (mount_namespaces(7)): no
// capability of the container takes a mask or a read-only mount away.
Outcome EnterUserNamespaceInside(const NamespaceSlice& slice);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_NAMESPACES_H_
