#include "runtime/isolation/mounts.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "absl/strings/str_cat.h"
#include "runtime/isolation/mount_source.h"
#include "runtime/kernel/mount.h"
#include "runtime/kernel/path.h"
#include "runtime/kernel/status.h"

// <sys/sysmacros.h> defines them, and a plan's device has members of these names.
#undef major
#undef minor

namespace bulkhead::isolation {
namespace {

absl::Status AttachAt(const std::string& destination, const MountSource& source, int root) {
  absl::StatusOr<UniqueFd> target =
      MakeInRoot(root, destination, source.directory ? PathKind::kDirectory : PathKind::kFile);
  if (!target.ok()) return target.status();
  return AttachMount(source.mount(), target->get());
}

absl::Status MakeMount(const plan::Mount& mount, std::span<const UniqueFd> fds, int root,
                       int user_namespace) {
  absl::StatusOr<MountSource> source = OpenMountSource(mount, fds, user_namespace);
  return source.ok() ? AttachAt(mount.destination(), *source, root) : source.status();
}

// Nodes are made in the container's own tmpfs or writable layer, never in a volume: all of this
// comes before the first of them.
absl::Status MakeDevice(const plan::DeviceNode& device, int root) {
  absl::StatusOr<ParentAndName> place = MakeParentInRoot(root, device.path());
  if (!place.ok()) return place.status();
  const int parent = place->parent.get();
  const char* name = place->name.c_str();
  if (unlinkat(parent, name, 0) != 0 && errno != ENOENT) return ErrnoStatus(errno, "unlink");
  if (mknodat(parent, name, device.mode(), makedev(device.major(), device.minor())) != 0) {
    return ErrnoStatus(errno, "mknod");
  }
  if (fchownat(parent, name, device.uid(), device.gid(), AT_SYMLINK_NOFOLLOW) != 0) {
    return ErrnoStatus(errno, "chown");
  }
  // After the chown, which clears bits; the name is a node made above, nobody else is here yet.
  if (fchmodat(parent, name, device.mode() & 07777, 0) != 0) return ErrnoStatus(errno, "chmod");
  return absl::OkStatus();
}

absl::Status MakeSymlink(const plan::Symlink& link, int root) {
  absl::StatusOr<ParentAndName> place = MakeParentInRoot(root, link.path());
  if (!place.ok()) return place.status();
  if (symlinkat(link.target().c_str(), place->parent.get(), place->name.c_str()) != 0 &&
      errno != EEXIST) {
    return ErrnoStatus(errno, "symlink");
  }
  return absl::OkStatus();
}

absl::Status MakeNodes(const plan::RootPlan& plan, int root) {
  for (const plan::DeviceNode& device : plan.devices()) {
    absl::Status status = MakeDevice(device, root);
    if (!status.ok()) return Annotate(status, absl::StrCat("device ", device.path()));
  }
  for (const plan::Symlink& link : plan.symlinks()) {
    absl::Status status = MakeSymlink(link, root);
    if (!status.ok()) return Annotate(status, absl::StrCat("link ", link.path()));
  }
  return absl::OkStatus();
}

// /proc and /sys are mounted on later, or looked at by everyone: a link there is refused.
absl::Status MakeMountPoints(int root) {
  for (const char* name : {"proc", "sys", "dev"}) {
    if (mkdirat(root, name, 0755) == 0) continue;
    struct stat st;
    if (errno != EEXIST || fstatat(root, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
      return ErrnoStatus(errno, absl::StrCat("mkdir /", name));
    }
    if (!S_ISDIR(st.st_mode)) {
      return absl::InvalidArgumentError(absl::StrCat("the image's /", name, " is no directory"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status FillRoot(const plan::RootPlan& plan, const RootSources& sources, int root,
                      int user_namespace) {
  if (absl::Status status = MakeMountPoints(root); !status.ok()) return status;
  bool nodes_made = false;
  auto image = sources.images.begin();
  for (const plan::Mount& mount : plan.mounts()) {
    if ((mount.has_bind() || mount.has_image()) && !nodes_made) {
      nodes_made = true;
      if (absl::Status status = MakeNodes(plan, root); !status.ok()) return status;
    }
    absl::Status status = mount.has_image() ? AttachAt(mount.destination(), *image++, root)
                                            : MakeMount(mount, sources.fds, root, user_namespace);
    if (!status.ok()) return Annotate(status, absl::StrCat("mount ", mount.destination()));
  }
  if (!nodes_made) {
    if (absl::Status status = MakeNodes(plan, root); !status.ok()) return status;
  }
  if (plan.working_directory().empty()) return absl::OkStatus();
  const absl::StatusOr<UniqueFd> directory =
      MakeInRoot(root, plan.working_directory(), PathKind::kDirectory);
  if (!directory.ok()) return Annotate(directory.status(), "working directory");
  return absl::OkStatus();
}

}  // namespace bulkhead::isolation
