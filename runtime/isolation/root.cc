#include "runtime/isolation/root.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/isolation/mount_source.h"
#include "runtime/isolation/mounts.h"
#include "runtime/isolation/overlay.h"
#include "runtime/kernel/astray.h"
#include "runtime/kernel/file_owner.h"
#include "runtime/kernel/mount.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

// As the host's superuser, like the root: overlayfs keeps the credentials of whoever mounts.
absl::StatusOr<std::vector<MountSource>> MountImages(const plan::RootPlan& plan,
                                                     std::span<const UniqueFd> fds,
                                                     const PodNamespaces& pod) {
  std::vector<MountSource> images;
  for (const plan::Mount& mount : plan.mounts()) {
    if (!mount.has_image()) continue;
    absl::StatusOr<MountSource> image = MountImage(mount, plan.mount_label(), fds, pod);
    if (!image.ok()) {
      return Annotate(image.status(), absl::StrCat("mount ", mount.destination()));
    }
    images.push_back(*std::move(image));
  }
  return images;
}

// What is made belongs to the pod's superuser. In an ID-mapped volume nobody else can make
// anything.
absl::Status FillAsSuperuser(const plan::RootPlan& plan, const RootSources& sources, int root,
                             const PodNamespaces& pod) {
  if (!pod.user_namespace.valid()) return FillRoot(plan, sources, root, -1);
  absl::StatusOr<PodSuperuser> owner = SuperuserOf(pod);
  if (!owner.ok()) return owner.status();
  absl::StatusOr<FileOwner> acting = FileOwner::Become(owner->uid, owner->gid);
  if (!acting.ok()) return acting.status();
  const absl::Status status = FillRoot(plan, sources, root, pod.user_namespace.get());
  const absl::Status restored = acting->Restore();
  return restored.ok() ? status : restored;
}

absl::StatusOr<PreparedRoot> AssembleHere(const plan::RootPlan& plan, std::span<const UniqueFd> fds,
                                          const PodNamespaces& pod) {
  absl::StatusOr<UniqueFd> root = MountOverlay(plan, fds, pod);
  if (!root.ok()) return root.status();
  absl::StatusOr<std::vector<MountSource>> images = MountImages(plan, fds, pod);
  if (!images.ok()) return images.status();
  absl::Status status = FillAsSuperuser(plan, {fds, *images, pod.procfs.get()}, root->get(), pod);
  if (!status.ok()) return status;
  if (status = PivotInto(root->get()); !status.ok()) return status;
  UniqueFd space(openat(pod.procfs.get(), "thread-self/ns/mnt", O_RDONLY | O_CLOEXEC));
  if (!space.valid()) return ErrnoStatus(errno, "open the container's mount namespace");
  return PreparedRoot{std::move(space), *std::move(root)};
}

}  // namespace

absl::StatusOr<PreparedRoot> AssembleRoot(const plan::RootPlan& plan, std::span<const UniqueFd> fds,
                                          const PodNamespaces& pod) {
  // Also stops sharing root and working directory with other threads (CLONE_FS), without which
  // no thread may change its mount namespace: setns(2).
  if (unshare(CLONE_NEWNS) != 0) return ErrnoStatus(errno, "unshare the container's mounts");
  // Modes are given exactly; nothing else of the supervisor makes files meanwhile.
  const mode_t mask = umask(0);
  absl::StatusOr<PreparedRoot> prepared = AssembleHere(plan, fds, pod);
  umask(mask);
  if (setns(pod.mount_namespace.get(), CLONE_NEWNS) != 0) {
    return Astray(ErrnoStatus(errno, "return to the pod's mount namespace"));
  }
  return prepared;
}

}  // namespace bulkhead::isolation
