// PID 1 of a pod's shared PID namespace, in place of a pause process.
#ifndef BULKHEAD_RUNTIME_ISOLATION_PID1_H_
#define BULKHEAD_RUNTIME_ISOLATION_PID1_H_

#include "absl/status/statusor.h"
#include "runtime/isolation/cgroup_join.h"
#include "runtime/isolation/selinux.h"
#include "runtime/kernel/process.h"

namespace bulkhead::isolation {

// What PID 1 of a new PID namespace is: a process that does nothing. Orphans are reaped by the
// kernel (SIGCHLD ignored), no signal from within the namespace reaches it, and only SIGKILL from
// outside ends it, and the namespace with it. It has no capabilities, no descriptors, no system
// calls but those that it waits and ends with, an empty read-only root of its own, and is not
// dumpable, so that nobody in the pod without CAP_SYS_PTRACE can read or trace what is left of the
// supervisor's memory in it.
struct Pid1 {
  CgroupFds cgroup;
  int user_namespace = -1;  // The pod's; -1: the host's.
  // Of the process, and of its root. As nothing is executed, the policy has to allow
  // `dyntransition` for the process's, which that of many hosts does for the peers: where it does
  // not, it keeps the supervisor's, and containers do not get at its files in /proc.
  SelinuxLabels labels;
  int procfs = -1;  // A verified one of the caller's PID namespace.
};
// Forks it.
absl::StatusOr<CloneResult> StartPid1(const Pid1& plan);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_PID1_H_
