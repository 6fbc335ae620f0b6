// The supervisor's own step into the pod. See SetUpPod.
#ifndef BULKHEAD_RUNTIME_ISOLATION_POD_NAMESPACES_H_
#define BULKHEAD_RUNTIME_ISOLATION_POD_NAMESPACES_H_

#include <sys/types.h>

#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/plan.pb.h"
#include "runtime/isolation/id_map.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::isolation {

// What holds a pod together. All of it is descriptors and a number, so that a re-exec hands it
// on: clear FD_CLOEXEC on each valid one and tell the new program their numbers. The network,
// IPC and UTS namespaces are those of the supervisor itself, which clones inherit.
struct PodNamespaces {
  // The pod's mount namespace, where the supervisor lives.
  UniqueFd mount_namespace;
  // A detached mount of a procfs that nobody else can mount over (CVE-2025-52881), in the
  // supervisor's PID namespace.
  UniqueFd procfs;
  // The null device, for reading and writing.
  UniqueFd null_device;
  // PID 1 of a shared PID namespace: its pidfd; not valid without one.
  UniqueFd pid1;
  pid_t pid1_pid = 0;
  // The user namespace of its containers and its maps; not valid and empty: the host's. The
  // supervisor itself is never in it.
  UniqueFd user_namespace;
  std::vector<IdRange> uids;
  std::vector<IdRange> gids;
};

// The containers' superuser as the host knows it; 0 without a user namespace.
struct PodSuperuser {
  uint32_t uid = 0;
  uint32_t gid = 0;
};
absl::StatusOr<PodSuperuser> SuperuserOf(const PodNamespaces& pod);

// Maps as plans and a supervisor's state have them.
std::vector<IdRange> ToIdMap(const google::protobuf::RepeatedPtrField<plan::IdRange>& ranges);
void SetIdMap(const std::vector<IdRange>& map,
              google::protobuf::RepeatedPtrField<plan::IdRange>& ranges);

// Turns the calling process into the pod's supervisor: joins its cgroup, enters the pod's
// namespaces, and pivots into a root that holds nothing but empty directories and the pod's
// shared memory. The process must be single-threaded. `fds` are the descriptors that came with
// the plan. After an error the process is in an undefined mix of namespaces and must end; the
// kernel frees what was made.
absl::StatusOr<PodNamespaces> SetUpPod(const plan::PodPlan& plan, std::span<const UniqueFd> fds);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_POD_NAMESPACES_H_
