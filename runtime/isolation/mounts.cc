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
#include "runtime/kernel/peer_group.h"
#include "runtime/kernel/status.h"

// <sys/sysmacros.h> defines them, and a plan's device has members of these names.
#undef major
#undef minor

namespace bulkhead::isolation {
namespace {

// Attaches mounts below a root, one after the other.
class Attacher {
 public:
  Attacher(int root, int procfs) : root_(root), procfs_(procfs) {}

  absl::Status Attach(const plan::Mount& mount, const MountSource& source) {
    absl::StatusOr<UniqueFd> target = MakeInRoot(
        root_, mount.destination(), source.directory ? PathKind::kDirectory : PathKind::kFile);
    if (!target.ok()) return target.status();
    if (absl::Status status = CheckOwn(target->get()); !status.ok()) return status;
    if (mount.bind().peer_later()) peers_ = true;
    return AttachMount(source.mount(), target->get());
  }

 private:
  // The topmost mount of a volume joins its peers later, those below are theirs all the time.
  absl::Status CheckOwn(int target) const {
    if (!peers_) return absl::OkStatus();
    absl::StatusOr<PeerGroup> group = PeerGroupOf(target, procfs_);
    if (!group.ok()) return group.status();
    if (*group != PeerGroup::kShared) return absl::OkStatus();
    return absl::FailedPreconditionError(
        "it lies in a mount below a Bidirectional volume and would be mounted on the host too");
  }

  int root_;
  int procfs_;
  bool peers_ = false;
};

absl::Status MakeMount(const plan::Mount& mount, std::span<const UniqueFd> fds, int user_namespace,
                       Attacher& attacher) {
  absl::StatusOr<MountSource> source = OpenMountSource(mount, fds, user_namespace);
  return source.ok() ? attacher.Attach(mount, *source) : source.status();
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
  Attacher attacher(root, sources.procfs);
  bool nodes_made = false;
  auto image = sources.images.begin();
  for (const plan::Mount& mount : plan.mounts()) {
    if ((mount.has_bind() || mount.has_image()) && !nodes_made) {
      nodes_made = true;
      if (absl::Status status = MakeNodes(plan, root); !status.ok()) return status;
    }
    absl::Status status = mount.has_image()
                              ? attacher.Attach(mount, *image++)
                              : MakeMount(mount, sources.fds, user_namespace, attacher);
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
