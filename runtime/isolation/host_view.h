// The host's files in a container's mount namespace, for the hooks of the OCI runtime specification
// that are programs of the host and change the container's root.
#ifndef BULKHEAD_RUNTIME_ISOLATION_HOST_VIEW_H_
#define BULKHEAD_RUNTIME_ISOLATION_HOST_VIEW_H_

#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::isolation {

// While it is entered the namespace has these mounts, each below the one before:
//
//   an empty file system, its root
//     /host                          a copy of the host's tree, the root of hooks
//       the bundle's place           a tmpfs with config.json
//         /rootfs                    the container's root, with all that is mounted there
//
// It and the container's root change places by pivot_root(2), nothing of the container's is mounted
// anew, so that what a hook mounts stays. The host gets none of it, and nothing of the host is left
// when the view is.
//
// The kernel has pivot_root(2) also change the roots of processes, from the old root to the new.
// The container's first process goes along, there and back, so that it must run nothing meanwhile:
// the view is entered when the container is created, and one whose view was not left must never be
// started. What hooks leave running keeps the host's tree, which is never the namespace's root;
// with the image's it would execute the image's programs as the host's superuser.
class HostView {
 public:
  // Outside. `place` is an existing directory, `config` the bundle's config.json.
  static absl::StatusOr<HostView> Make(const std::string& place, std::string_view config);
  static constexpr char kRoot[] = "rootfs";

  // Takes the calling thread, which must be of no further use, into the namespaces of a container's
  // first process, a pidfd, but for those of users and PIDs; "/" is the host's then.
  absl::Status Enter(int process);
  // On the same thread, once Enter has succeeded. Makes the root read-only if it is to be: before,
  // no hook could write to it, and of a copy for a user namespace the kernel has that locked. When
  // either fails the container is of no use.
  absl::Status Leave(bool read_only_root);

 private:
  HostView(std::string place, UniqueFd base, UniqueFd bundle)
      : place_(std::move(place)), base_(std::move(base)), bundle_(std::move(bundle)) {}

  absl::Status Build();

  std::string place_;       // Relative to the host's root, without links.
  UniqueFd base_, bundle_;  // Detached mounts.
  UniqueFd host_;           // The copy.
  UniqueFd root_;           // The container's.
};

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_HOST_VIEW_H_
