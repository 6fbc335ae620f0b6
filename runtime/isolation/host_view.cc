#include "runtime/isolation/host_view.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/mount.h"
#include "runtime/kernel/path.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

constexpr char kHost[] = "host";

// With one directory.
absl::StatusOr<UniqueFd> NewTmpfsWith(const char* name) {
  absl::StatusOr<UniqueFd> made =
      NewFilesystem("tmpfs", {{"mode", "0755"}}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  if (made.ok() && mkdirat(made->get(), name, 0755) != 0) {
    return ErrnoStatus(errno, absl::StrCat("make ", name));
  }
  return made;
}

absl::Status WriteConfig(int bundle, std::string_view config) {
  const UniqueFd file(openat(bundle, "config.json", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!file.valid()) return ErrnoStatus(errno, "make config.json");
  const ssize_t size = write(file.get(), config.data(), config.size());
  if (size == static_cast<ssize_t>(config.size())) return absl::OkStatus();
  return ErrnoStatus(size < 0 ? errno : ENOSPC, "write config.json");
}

// A copy of the calling thread's tree, whose mounts get nothing of the host's later: what a hook
// mounts from here stays.
absl::StatusOr<UniqueFd> CopyHost() {
  absl::StatusOr<UniqueFd> host = CloneTree(AT_FDCWD, "/", TreeDepth::kRecursive);
  if (!host.ok()) return host;
  absl::Status apart = ChangeMount(host->get(), {.propagation = MS_PRIVATE}, TreeDepth::kRecursive);
  if (!apart.ok()) return apart;
  return host;
}

absl::StatusOr<UniqueFd> OpenBelow(int directory, const std::string& path) {
  const int place = Openat2(directory, path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC, 0,
                            RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH);
  if (place < 0) return ErrnoStatus(-place, absl::StrCat("open ", path));
  return UniqueFd(place);
}

absl::Status AttachBelow(int mount, int directory, const std::string& path) {
  const absl::StatusOr<UniqueFd> place = OpenBelow(directory, path);
  if (!place.ok()) return place.status();
  return Annotate(AttachMount(mount, place->get()), path);
}

absl::Status ChangeRoot(int directory) {
  if (fchdir(directory) != 0 || chroot(".") != 0) return ErrnoStatus(errno, "chroot");
  return absl::OkStatus();
}

// Both the mount, for whoever looks, and its file system: the mount's flag is not locked, as it
// is where a user namespace's copy of the mounts was made of one.
absl::Status MakeReadOnly(int root) {
  absl::Status status = ChangeMount(root, {.set = MOUNT_ATTR_RDONLY}, TreeDepth::kOneMount);
  if (!status.ok()) return status;
  const UniqueFd context(fspick(root, "", FSPICK_CLOEXEC | FSPICK_EMPTY_PATH));
  if (!context.valid()) return ErrnoStatus(errno, "fspick");
  if (fsconfig(context.get(), FSCONFIG_SET_FLAG, "ro", nullptr, 0) != 0 ||
      fsconfig(context.get(), FSCONFIG_CMD_RECONFIGURE, nullptr, nullptr, 0) != 0) {
    return ErrnoStatus(errno, "fsconfig ro");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<HostView> HostView::Make(const std::string& place, std::string_view config) {
  std::error_code error;
  const std::filesystem::path real = std::filesystem::canonical(place, error);
  if (error) return ErrnoStatus(error.value(), place);
  absl::StatusOr<UniqueFd> base = NewTmpfsWith(kHost);
  if (!base.ok()) return base.status();
  absl::StatusOr<UniqueFd> bundle = NewTmpfsWith(kRoot);
  if (!bundle.ok()) return bundle.status();
  absl::Status status = WriteConfig(bundle->get(), config);
  if (!status.ok()) return status;
  return HostView(real.relative_path(), *std::move(base), *std::move(bundle));
}

absl::Status HostView::Enter(int process) {
  // Of a copy, which leaves the files of mount namespaces out, such as snapd's: with one among
  // them the tree could not be attached elsewhere (ELOOP).
  if (unshare(CLONE_NEWNS) != 0) return ErrnoStatus(errno, "unshare");
  absl::StatusOr<UniqueFd> host = CopyHost();
  if (!host.ok()) return Annotate(host.status(), "copy the host's mounts");
  host_ = *std::move(host);
  if (setns(process, CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) != 0) {
    return ErrnoStatus(errno, "enter the container's namespaces");
  }
  root_.reset(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root_.valid()) return ErrnoStatus(errno, "open the container's root");
  return Annotate(Build(), "mount the host's tree");
}

absl::Status HostView::Build() {
  absl::Status status = AttachMount(base_.get(), root_.get());
  if (status.ok()) status = AttachBelow(host_.get(), base_.get(), kHost);
  if (status.ok()) status = AttachBelow(bundle_.get(), host_.get(), place_);
  if (!status.ok()) return status;
  if (fchdir(base_.get()) != 0) return ErrnoStatus(errno, "fchdir");
  const std::string below = absl::StrCat(kHost, "/", place_, "/", kRoot);
  if (syscall(SYS_pivot_root, ".", below.c_str()) != 0) return ErrnoStatus(errno, "pivot_root");
  return ChangeRoot(host_.get());
}

absl::Status HostView::Leave(bool read_only_root) {
  if (read_only_root) {
    absl::Status status = MakeReadOnly(root_.get());
    if (!status.ok()) return Annotate(status, "make the root read-only");
  }
  if (absl::Status status = ChangeRoot(base_.get()); !status.ok()) return status;
  return Annotate(PivotInto(root_.get()), "take the host's tree away");
}

}  // namespace bulkhead::isolation
