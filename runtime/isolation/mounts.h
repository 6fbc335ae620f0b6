// The mounts of a container's root.
#ifndef BULKHEAD_RUNTIME_ISOLATION_MOUNTS_H_
#define BULKHEAD_RUNTIME_ISOLATION_MOUNTS_H_

#include <span>

#include "absl/status/status.h"
#include "proto/plan.pb.h"
#include "runtime/isolation/mount_source.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::isolation {

struct RootSources {
  std::span<const UniqueFd> fds;        // The plan's.
  std::span<const MountSource> images;  // Of the plan's image mounts, in order.
  int procfs = -1;                      // That of the calling thread.
};

// Makes a plan's mounts, devices, links and working directory below `root` (O_PATH), in the
// calling thread's mount namespace. `user_namespace` is the pod's, -1: none. Errors name the
// destination.
absl::Status FillRoot(const plan::RootPlan& plan, const RootSources& sources, int root,
                      int user_namespace);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_MOUNTS_H_
