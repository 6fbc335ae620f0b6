#include "runtime/isolation/late_mounts.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/isolation/cgroup_join.h"
#include "runtime/isolation/mounts_inside.h"
#include "runtime/kernel/file.h"
#include "runtime/kernel/path.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

constexpr uint64_t kSafe = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
constexpr char kProc[] = "/proc";
constexpr char kCgroup[] = "/sys/fs/cgroup";

// A directory whose path holds no link, or -errno.
int OpenPlace(const char* path) {
  return Openat2(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0,
                 RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

Outcome AttachAt(int mount, const char* path) {
  const int place = OpenPlace(path);
  if (place < 0) return {.error = -place, .subject = path};
  const Outcome outcome = AttachInside(mount, place, path);
  close(place);
  return outcome;
}

// `mount` becomes the descriptor of the new mount: what is done with it later does not go by the
// path, in which a volume that is mounted at /sys may be exchanged meanwhile.
Outcome MountAt(const char* type, const char* label, const char* path, int& mount) {
  mount = NewFilesystemInside(type, label, kSafe);
  if (mount < 0) return {.error = -mount, .subject = path};
  return AttachAt(mount, path);
}

Outcome MountHierarchy(const LateMountSlice::Hierarchy& hierarchy) {
  const bool v2 = hierarchy.v1_options[0] == '\0';
  const char* type = v2 ? "cgroup2" : "cgroup";
  if (mkdir(hierarchy.directory, 0755) != 0) return FromResult(-1, hierarchy.directory);
  constexpr unsigned long kFlags = MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RELATIME;
  return FromResult(
      mount(type, hierarchy.directory, type, kFlags, v2 ? nullptr : hierarchy.v1_options),
      hierarchy.directory);
}

// Below a tmpfs, as working directory.
Outcome MountHierarchies(const LateMountSlice& slice, int tmpfs) {
  if (fchdir(tmpfs) != 0) return FromResult(-1, kCgroup);
  for (const LateMountSlice::Hierarchy& hierarchy : slice.cgroup) {
    if (Outcome outcome = MountHierarchy(hierarchy); !outcome.ok()) return outcome;
  }
  return FromResult(chdir("/"), "/");
}

Outcome MakeReadOnly(int mount, const char* path, unsigned flags) {
  mount_attr attributes = {};
  attributes.attr_set = MOUNT_ATTR_RDONLY;
  return FromResult(
      mount_setattr(mount, "", flags | AT_EMPTY_PATH, &attributes, sizeof(attributes)), path);
}

}  // namespace

absl::StatusOr<LateMountSlice> LateMountsOutside(const plan::LateMountsPlan& plan,
                                                 std::span<const UniqueFd> fds,
                                                 int user_namespace) {
  LateMountSlice slice{.label = plan.mount_label().c_str(),
                       .proc = plan.proc(),
                       .cgroup_read_only = plan.cgroup_read_only(),
                       .read_only_root = plan.read_only_root()};
  for (const plan::CgroupMount& mount : plan.cgroup()) {
    slice.cgroup.push_back({mount.directory().c_str(), mount.v1_options().c_str()});
  }
  for (const plan::Mount& mount : plan.mounts()) {
    absl::StatusOr<MountSource> source = OpenMountSource(mount, fds, user_namespace);
    if (!source.ok()) {
      return Annotate(source.status(), absl::StrCat("mount ", mount.destination()));
    }
    slice.mounts.push_back({*std::move(source), mount.destination().c_str()});
  }
  for (const plan::PeerGroup& group : plan.peer_groups()) {
    absl::StatusOr<int> peer = PlannedFd(group.has_peer(), group.peer(), fds);
    if (peer.ok() && *peer < 0) peer = absl::InvalidArgumentError("no peer");
    if (!peer.ok()) return Annotate(peer.status(), absl::StrCat("mount ", group.destination()));
    slice.peers.push_back({*peer, group.destination().c_str()});
  }
  for (const std::string& path : plan.masked_paths()) slice.masked_paths.push_back(path.c_str());
  for (const std::string& path : plan.read_only_paths()) {
    slice.read_only_paths.push_back(path.c_str());
  }
  return slice;
}

absl::StatusOr<bool> MakeProcOutside(LateMountSlice& slice, int pid_namespace) {
  if (!slice.proc) return true;
  const UniqueFd context(fsopen("proc", FSOPEN_CLOEXEC));
  if (!context.valid()) return ErrnoStatus(errno, "mount proc");
  if (fsconfig(context.get(), FSCONFIG_SET_FD, "pidns", nullptr, pid_namespace) != 0) {
    if (errno == EINVAL) return false;
    return ErrnoStatus(errno, "mount proc of a PID namespace");
  }
  if (fsconfig(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return ErrnoStatus(errno, "mount proc of a PID namespace");
  }
  slice.proc_mount.reset(fsmount(context.get(), FSMOUNT_CLOEXEC, kSafe));
  if (!slice.proc_mount.valid()) return ErrnoStatus(errno, "mount proc of a PID namespace");
  return true;
}

Outcome MountProcInside(const LateMountSlice& slice) {
  if (!slice.proc) return {};
  int proc = -1;
  const Outcome mounted = slice.proc_mount.valid() ? AttachAt(slice.proc_mount.get(), kProc)
                                                   : MountAt("proc", "", kProc, proc);
  if (!mounted.ok()) return mounted;
  if (proc >= 0) close(proc);
  proc = OpenPlace(kProc);
  if (proc < 0) return {.error = -proc, .subject = kProc};
  const int error = VerifyProcfs(proc);
  close(proc);
  return {.error = error, .subject = kProc};
}

Outcome MountCgroupInside(const LateMountSlice& slice) {
  if (slice.cgroup.empty()) return {};
  const bool v2 = slice.cgroup.front().directory[0] == '\0';
  int cgroup = -1;
  Outcome outcome =
      v2 ? MountAt("cgroup2", "", kCgroup, cgroup) : MountAt("tmpfs", slice.label, kCgroup, cgroup);
  if (outcome.ok() && !v2) outcome = MountHierarchies(slice, cgroup);
  if (outcome.ok() && slice.cgroup_read_only) outcome = MakeReadOnly(cgroup, kCgroup, AT_RECURSIVE);
  if (outcome.ok()) close(cgroup);
  return outcome;
}

Outcome MountLateInside(const LateMountSlice& slice) {
  for (const LateMountSlice::Late& late : slice.mounts) {
    const int place = OpenInRoot(AT_FDCWD, late.destination, O_PATH);
    if (place < 0) return {.error = -place, .subject = late.destination};
    const Outcome outcome = AttachInside(late.source.mount(), place, late.destination);
    close(place);
    if (!outcome.ok()) return outcome;
  }
  return {};
}

Outcome JoinPeerGroupsInside(const LateMountSlice& slice) {
  for (const LateMountSlice::Peer& one : slice.peers) {
    const int place = OpenInRoot(AT_FDCWD, one.destination, O_PATH);
    if (place < 0) return {.error = -place, .subject = one.destination};
    const Outcome outcome = JoinPeerGroupInside(one.peer, place, one.destination);
    close(place);
    if (!outcome.ok()) return outcome;
  }
  return {};
}

Outcome ReadOnlyRootInside(const LateMountSlice& slice) {
  if (!slice.read_only_root) return {};
  const int root = OpenPlace("/");
  if (root < 0) return {.error = -root, .subject = "/"};
  const Outcome outcome = MakeReadOnly(root, "/", 0);
  close(root);
  return outcome;
}

}  // namespace bulkhead::isolation
