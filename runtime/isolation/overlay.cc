#include "runtime/isolation/overlay.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/isolation/cgroup_join.h"
#include "runtime/isolation/id_map.h"
#include "runtime/isolation/pod_layout.h"
#include "runtime/kernel/mount.h"
#include "runtime/kernel/path.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

using Layers = google::protobuf::RepeatedPtrField<plan::Fd>;

constexpr char kWritable[] = "w";
constexpr char kVolume[] = "v";
constexpr char kEmpty[] = "e";
// nofollow: an attribute in a hostile layer redirects nothing.
constexpr char kOptions[] = ",index=off,metacopy=off,redirect_dir=nofollow";
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

// Returns the mount option that names them.
absl::StatusOr<std::string> AttachLayers(const Layers& layers, std::span<const UniqueFd> fds,
                                         int id_map) {
  if (layers.empty() || layers.size() > kMaxLayers) {
    return absl::InvalidArgumentError(
        absl::StrCat("layers: ", layers.size(), ", overlayfs takes 1 to ", kMaxLayers));
  }
  std::string option = "lowerdir=";
  for (int i = 0; i < layers.size(); ++i) {
    absl::StatusOr<int> layer = PlannedFd(true, layers[i], fds);
    if (!layer.ok()) return layer.status();
    const std::string name = absl::StrCat(i);
    absl::Status status = AttachAs(*layer, id_map, name);
    if (!status.ok()) return Annotate(status, absl::StrCat("attach layer ", i));
    absl::StrAppend(&option, i == 0 ? "" : ":", name);
  }
  return option;
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

absl::Status LeaveLayersTmpfs() {
  if (chdir("/") != 0) return ErrnoStatus(errno, "chdir /");
  return DetachMountAt(kPodLayers);
}

// mount(2)'s form: a level has commas.
std::string ContextOption(const std::string& label) {
  return label.empty() ? "" : absl::StrCat(",context=\"", label, "\"");
}

absl::Status MountLowerLayers(const Layers& layers, const std::string& label,
                              std::span<const UniqueFd> fds, int id_map) {
  absl::StatusOr<std::string> options = AttachLayers(layers, fds, id_map);
  if (!options.ok()) return options.status();
  for (const char* directory : {kVolume, kEmpty}) {
    if (mkdir(directory, 0700) != 0) return ErrnoStatus(errno, absl::StrCat("mkdir ", directory));
  }
  // Without an upper layer overlayfs takes no less than two.
  if (layers.size() == 1) absl::StrAppend(&*options, ":", kEmpty);
  absl::StrAppend(&*options, kOptions, ContextOption(label));
  constexpr unsigned long kFlags = MS_RDONLY | MS_NOSUID | MS_NODEV;
  if (mount("overlay", kVolume, "overlay", kFlags, options->c_str()) != 0) {
    return ErrnoStatus(errno, absl::StrCat("mount overlay of ", layers.size(), " layers"));
  }
  return absl::OkStatus();
}

// The copy is made while the overlay is attached: see MountOverlay.
absl::StatusOr<MountSource> CloneSubPath(const std::string& sub_path) {
  const UniqueFd root(open(kVolume, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return ErrnoStatus(errno, "open the volume");
  const std::string what = absl::StrCat("image_sub_path \"", sub_path, "\"");
  const int found = OpenInRoot(root.get(), sub_path.empty() ? "." : sub_path.c_str(), O_PATH);
  if (found < 0) return ErrnoStatus(-found, what);
  const UniqueFd part(found);
  struct stat st;
  if (fstat(part.get(), &st) != 0) return ErrnoStatus(errno, what);
  if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": is neither a directory nor a file"));
  }
  absl::StatusOr<UniqueFd> tree = CloneTree(part.get(), "", TreeDepth::kOneMount);
  if (!tree.ok()) return Annotate(tree.status(), what);
  return MountSource{.owned = *std::move(tree), .directory = S_ISDIR(st.st_mode)};
}

}  // namespace

absl::StatusOr<UniqueFd> MountOverlay(const plan::RootPlan& plan, std::span<const UniqueFd> fds,
                                      const PodNamespaces& pod) {
  if (absl::Status status = EnterLayersTmpfs(); !status.ok()) return status;
  absl::StatusOr<std::string> options = AttachLayers(plan.layers(), fds, pod.user_namespace.get());
  if (!options.ok()) return options.status();
  absl::Status status = AttachWritable(plan, fds);
  if (!status.ok()) return status;
  if (status = OwnUpper(pod); !status.ok()) return status;
  // volatile: a container does not outlive a power loss, so its files need not be flushed when it
  // ends.
  absl::StrAppend(&*options, ",upperdir=w/upper,workdir=w/work,volatile", kOptions,
                  ContextOption(plan.mount_label()));
  // In a user namespace the image's device nodes would be its superuser's, and a privileged
  // container could open any device of the host by bringing a node for it.
  const unsigned long flags = pod.user_namespace.valid() ? MS_NODEV : 0;
  if (mount("overlay", kPodRoot, "overlay", flags, options->c_str()) != 0) {
    return ErrnoStatus(errno, absl::StrCat("mount overlay of ", plan.layers_size(), " layers"));
  }
  if (status = LeaveLayersTmpfs(); !status.ok()) return status;
  UniqueFd root(open(kPodRoot, O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return ErrnoStatus(errno, absl::StrCat("open ", kPodRoot));
  return root;
}

absl::StatusOr<MountSource> MountImage(const plan::Mount& mount, const std::string& label,
                                       std::span<const UniqueFd> fds, const PodNamespaces& pod) {
  if (absl::Status status = EnterLayersTmpfs(); !status.ok()) return status;
  absl::Status status =
      MountLowerLayers(mount.image().layers(), label, fds, pod.user_namespace.get());
  if (!status.ok()) return status;
  absl::StatusOr<MountSource> source = CloneSubPath(mount.image().sub_path());
  if (!source.ok()) return source;
  status = ChangeMount(source->mount(), {.set = mount.attributes()}, TreeDepth::kOneMount);
  if (!status.ok()) return Annotate(status, "attributes");
  if (status = LeaveLayersTmpfs(); !status.ok()) return status;
  return source;
}

}  // namespace bulkhead::isolation
