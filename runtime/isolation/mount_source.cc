#include "runtime/isolation/mount_source.h"

#include <fcntl.h>
#include <sys/mount.h>

#include <utility>

#include "runtime/isolation/cgroup_join.h"
#include "runtime/isolation/id_map.h"
#include "runtime/isolation/pod_layout.h"
#include "runtime/kernel/mount.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

absl::StatusOr<UniqueFd> OpenNew(const plan::Mount& mount) {
  if (mount.pod_shm()) return CloneTree(AT_FDCWD, kPodShm, TreeDepth::kRecursive);
  FilesystemOptions options;
  for (const plan::FilesystemOption& option : mount.filesystem().options()) {
    options.emplace_back(option.key(), option.value());
  }
  return NewFilesystem(mount.filesystem().type(), options, mount.attributes());
}

absl::StatusOr<uint64_t> PropagationFlag(plan::Mount::Propagation propagation) {
  switch (propagation) {
    case plan::Mount::PRIVATE:
      return MS_PRIVATE;
    case plan::Mount::SLAVE:
      return MS_SLAVE;
    case plan::Mount::SHARED:
      return MS_SHARED;
    default:
      return absl::InvalidArgumentError("a propagation that this version does not know");
  }
}

}  // namespace

absl::StatusOr<MountSource> OpenMountSource(const plan::Mount& mount, std::span<const UniqueFd> fds,
                                            int user_namespace) {
  if (mount.has_image()) return absl::InvalidArgumentError("an image volume among late mounts");
  MountSource source;
  if (mount.has_bind()) {
    absl::StatusOr<int> tree = PlannedFd(true, mount.bind().tree(), fds);
    if (!tree.ok()) return tree.status();
    source.borrowed = *tree;
    source.directory = mount.bind().directory();
    if (mount.bind().id_mapped()) {
      if (user_namespace < 0) {
        return absl::InvalidArgumentError("an ID-mapped mount in a pod without a user namespace");
      }
      if (absl::Status status = MapMount(*tree, user_namespace); !status.ok()) return status;
    }
  } else {
    absl::StatusOr<UniqueFd> made = OpenNew(mount);
    if (!made.ok()) return made.status();
    source.owned = *std::move(made);
  }
  // Propagation is always of the whole tree: a shared submount of a private volume would be a way
  // out. A shared mount stays in its source's peer group.
  absl::StatusOr<uint64_t> propagation = PropagationFlag(mount.propagation());
  if (!propagation.ok()) return propagation.status();
  absl::Status status =
      ChangeMount(source.mount(), {.propagation = *propagation}, TreeDepth::kRecursive);
  if (status.ok() && mount.bind().peer_later()) {
    status = ChangeMount(source.mount(), {.propagation = MS_PRIVATE}, TreeDepth::kOneMount);
  }
  if (!status.ok()) return Annotate(status, "propagation");
  // A new file system has its attributes from the start.
  if (mount.attributes() == 0 || mount.has_filesystem()) return source;
  const TreeDepth depth =
      mount.recursive_attributes() ? TreeDepth::kRecursive : TreeDepth::kOneMount;
  status = ChangeMount(source.mount(), {.set = mount.attributes()}, depth);
  if (!status.ok()) return Annotate(status, "attributes");
  return source;
}

}  // namespace bulkhead::isolation
