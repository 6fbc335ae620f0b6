// How a process enters its cgroups: on v1 by writing "0" to `tasks` files, 25 times quicker than
// when its parent writes the pid to cgroup.procs; on v2 by being cloned into the cgroup.
#ifndef BULKHEAD_RUNTIME_ISOLATION_CGROUP_JOIN_H_
#define BULKHEAD_RUNTIME_ISOLATION_CGROUP_JOIN_H_

#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/plan.pb.h"
#include "runtime/isolation/steps.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::isolation {

// A plan's descriptor, borrowed; -1 when the field is absent. INVALID_ARGUMENT: no such index.
absl::StatusOr<int> PlannedFd(bool present, const plan::Fd& fd, std::span<const UniqueFd> fds);

// The descriptors of a join, borrowed.
struct CgroupFds {
  std::vector<int> v1_tasks;
  int v2_directory = -1;
};
absl::StatusOr<CgroupFds> PlannedCgroup(const plan::CgroupJoin& join,
                                        std::span<const UniqueFd> fds);

// Inside: the v1 part; the v2 part is done by Clone.
Outcome JoinCgroupsInside(const std::vector<int>& v1_tasks);

// Moves the calling, single-threaded process.
absl::Status JoinCgroups(const CgroupFds& cgroup);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_CGROUP_JOIN_H_
