// A container's root file system and mount namespace. See AssembleRoot.
#ifndef BULKHEAD_RUNTIME_ISOLATION_ROOT_H_
#define BULKHEAD_RUNTIME_ISOLATION_ROOT_H_

#include <span>

#include "absl/status/statusor.h"
#include "proto/plan.pb.h"
#include "runtime/isolation/pod_namespaces.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::isolation {

// The only reference to the container's mount namespace until a process of the container is in
// it: closing both frees all mounts. Once the container was launched, `mount_namespace` may be
// closed; `root` is needed for terminals of later execs.
struct PreparedRoot {
  UniqueFd mount_namespace;
  // O_PATH.
  UniqueFd root;
};

// Clones the pod's mount namespace, builds the container's root in it and comes back to the
// pod's. To be called by the supervisor's main thread; other threads may exist. When even the
// way back fails, the error is Astray.
absl::StatusOr<PreparedRoot> AssembleRoot(const plan::RootPlan& plan, std::span<const UniqueFd> fds,
                                          const PodNamespaces& pod);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_ROOT_H_
