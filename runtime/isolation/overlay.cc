#include "runtime/isolation/overlay.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "absl/strings/str_cat.h"
#include "runtime/isolation/cgroup_join.h"
#include "runtime/isolation/id_map.h"
#include "runtime/isolation/pod_layout.h"
#include "runtime/kernel/mount.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

constexpr char kWritable[] = "w";
constexpr int kMaxLayers = 500;  // OVL_MAX_STACK.

// Attaches a detached mount at a new directory of the working directory.
absl::Status AttachAs(int mount, int id_map, const std::string& name) {
  if (id_map >= 0) {
    if (absl::Status status = MapMount(mount, id_map); !status.ok()) return status;
  }
  if (mkdir(name.c_str(), 0700) != 0) return ErrnoStatus(errno, "mkdir");
  const UniqueFd place(open(name.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!place.valid()) return ErrnoStatus(errno, "open");
  return AttachMount(mount, place.get());
}

absl::Status AttachLayers(const plan::RootPlan& plan, std::span<const UniqueFd> fds, int id_map,
                          std::string& options) {
  if (plan.layers_size() == 0 || plan.layers_size() > kMaxLayers) {
    return absl::InvalidArgumentError(
        absl::StrCat("layers: ", plan.layers_size(), ", overlayfs takes 1 to ", kMaxLayers));
  }
  options = "lowerdir=";
  for (int i = 0; i < plan.layers_size(); ++i) {
    absl::StatusOr<int> layer = PlannedFd(true, plan.layers(i), fds);
    if (!layer.ok()) return layer.status();
    const std::string name = absl::StrCat(i);
    absl::Status status = AttachAs(*layer, id_map, name);
    if (!status.ok()) return Annotate(status, absl::StrCat("attach layer ", i));
    absl::StrAppend(&options, i == 0 ? "" : ":", name);
  }
  return absl::OkStatus();
}

// An earlier volatile mount of the same directories leaves a mark that refuses the next one, for
// fear of lost writes (overlayfs.rst, "Volatile mount"). Nothing was lost here: the machine has not
// gone down since, or the container would not be prepared again.
void ForgetVolatileMount() {
  unlink("w/work/work/incompat/volatile/dirty");
  rmdir("w/work/work/incompat/volatile");
  rmdir("w/work/work/incompat");
}

// Without a writable layer the upper one is on the tmpfs of the mount points, which goes with
// the namespace: mount points have to be made somewhere.
absl::Status AttachWritable(const plan::RootPlan& plan, std::span<const UniqueFd> fds) {
  absl::StatusOr<int> writable = PlannedFd(plan.has_writable(), plan.writable(), fds);
  if (!writable.ok()) return writable.status();
  if (*writable >= 0) {
    // Never ID-mapped: overlayfs writes as the one who mounts it, the superuser, whom the map does
    // not know; the upper layer holds the mapped owners themselves.
    absl::Status status = AttachAs(*writable, -1, kWritable);
    if (!status.ok()) return Annotate(status, "attach the writable layer");
    ForgetVolatileMount();
    return absl::OkStatus();
  }
  for (const char* directory : {"w", "w/upper", "w/work"}) {
    if (mkdir(directory, 0755) != 0) return ErrnoStatus(errno, absl::StrCat("mkdir ", directory));
  }
  return absl::OkStatus();
}

// The root directory of an overlay has the owner that its upper one has.
absl::Status OwnUpper(const PodNamespaces& pod) {
  if (!pod.user_namespace.valid()) return absl::OkStatus();
  absl::StatusOr<PodSuperuser> owner = SuperuserOf(pod);
  if (!owner.ok()) return owner.status();
  if (lchown("w/upper", owner->uid, owner->gid) != 0) return ErrnoStatus(errno, "chown upper");
  return absl::OkStatus();
}

absl::Status EnterLayersTmpfs() {
  absl::StatusOr<UniqueFd> tmpfs =
      NewFilesystem("tmpfs", {{"mode", "0700"}}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  if (!tmpfs.ok()) return tmpfs.status();
  const UniqueFd place(open(kPodLayers, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!place.valid()) return ErrnoStatus(errno, absl::StrCat("open ", kPodLayers));
  if (absl::Status status = AttachMount(tmpfs->get(), place.get()); !status.ok()) return status;
  if (fchdir(tmpfs->get()) != 0) return ErrnoStatus(errno, "enter the layers' tmpfs");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<UniqueFd> MountOverlay(const plan::RootPlan& plan, std::span<const UniqueFd> fds,
                                      const PodNamespaces& pod) {
  if (absl::Status status = EnterLayersTmpfs(); !status.ok()) return status;
  std::string options;
  absl::Status status = AttachLayers(plan, fds, pod.user_namespace.get(), options);
  if (!status.ok()) return status;
  if (status = AttachWritable(plan, fds); !status.ok()) return status;
  if (status = OwnUpper(pod); !status.ok()) return status;
  // volatile: a container does not outlive a power loss, so its files need not be flushed when it
  // ends. nofollow: an attribute in a hostile layer redirects nothing.
  absl::StrAppend(&options,
                  ",upperdir=w/upper,workdir=w/work,volatile,index=off,metacopy=off,"
                  "redirect_dir=nofollow");
  // In a user namespace the image's device nodes would be its superuser's, and a privileged
  // container could open any device of the host by bringing a node for it.
  const unsigned long flags = pod.user_namespace.valid() ? MS_NODEV : 0;
  if (mount("overlay", kPodRoot, "overlay", flags, options.c_str()) != 0) {
    return ErrnoStatus(errno, absl::StrCat("mount overlay of ", plan.layers_size(), " layers"));
  }
  if (chdir("/") != 0) return ErrnoStatus(errno, "chdir /");
  if (status = DetachMountAt(kPodLayers); !status.ok()) return status;
  UniqueFd root(open(kPodRoot, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return ErrnoStatus(errno, absl::StrCat("open ", kPodRoot));
  return root;
}

}  // namespace bulkhead::isolation
