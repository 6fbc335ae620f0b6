// PID 1 of a pod's shared PID namespace, in place of a pause process.
#ifndef BULKHEAD_RUNTIME_ISOLATION_PID1_H_
#define BULKHEAD_RUNTIME_ISOLATION_PID1_H_

#include <string>

#include "absl/status/statusor.h"
#include "runtime/isolation/cgroup_join.h"
#include "runtime/kernel/process.h"

namespace bulkhead::isolation {

// Forks a process that is PID 1 of a new PID namespace and does nothing: orphans are reaped by
// the kernel (SIGCHLD ignored), no signal from within the namespace reaches it, and only SIGKILL
// from outside ends it, and the namespace with it. It has no capabilities, no descriptors, an
// empty read-only root of its own, and is not dumpable, so that nobody in the pod can read or
// trace what is left of the supervisor's memory in it. It is in the pod's user namespace (-1: the
// host's). `label` is the SELinux context of its root, empty for none.
absl::StatusOr<CloneResult> StartPid1(const CgroupFds& cgroup, int user_namespace,
                                      const std::string& label);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_PID1_H_
