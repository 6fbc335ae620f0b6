#ifndef BULKHEAD_RUNTIME_ISOLATION_MOUNT_SOURCE_H_
#define BULKHEAD_RUNTIME_ISOLATION_MOUNT_SOURCE_H_

#include <span>

#include "absl/status/statusor.h"
#include "proto/plan.pb.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::isolation {

// A detached mount, ready to be attached: attributes and propagation are set.
struct MountSource {
  UniqueFd owned;
  int borrowed = -1;
  bool directory = true;

  int mount() const { return owned.valid() ? owned.get() : borrowed; }
};

// Opens what a plan's mount mounts, but for images (MountImage), mapped where it says so by the
// pod's user namespace (-1: none). Runs in the pod's mount namespace or a clone of it.
absl::StatusOr<MountSource> OpenMountSource(const plan::Mount& mount, std::span<const UniqueFd> fds,
                                            int user_namespace);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_MOUNT_SOURCE_H_
