// Overlays: a container's root, and image volumes.
#ifndef BULKHEAD_RUNTIME_ISOLATION_OVERLAY_H_
#define BULKHEAD_RUNTIME_ISOLATION_OVERLAY_H_

#include <span>

#include "absl/status/statusor.h"
#include "proto/plan.pb.h"
#include "runtime/isolation/mount_source.h"
#include "runtime/isolation/pod_namespaces.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::isolation {

// Mounts the overlay of a plan's layers in the calling thread's mount namespace, a clone of the
// pod's, and returns its root (O_PATH). Layers are attached at short paths while it is being
// mounted: before Linux 6.15 a detached mount cannot be a layer, and fsconfig(2) takes 256 bytes
// a value. They are detached again; the overlay keeps references of its own. In a pod with a user
// namespace the layers are mapped by it and the root belongs to its superuser.
absl::StatusOr<UniqueFd> MountOverlay(const plan::RootPlan& plan, std::span<const UniqueFd> fds,
                                      const PodNamespaces& pod);

// What an image volume shows, by way of the calling thread's mount namespace, a clone of the pod's.
// Always an overlay of lower layers alone, which nothing makes writable: a bind mount of an image's
// only layer could be remounted by a privileged container, and the layer changed for all. `label`
// is RootPlan::mount_label.
absl::StatusOr<MountSource> MountImage(const plan::Mount& mount, const std::string& label,
                                       std::span<const UniqueFd> fds, const PodNamespaces& pod);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_OVERLAY_H_
