#include "runtime/isolation/id_map.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/file.h"
#include "runtime/kernel/mount.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

constexpr size_t kMaxRanges = 340;  // UID_GID_MAP_MAX_EXTENTS.

bool Overlap(uint32_t a, uint32_t a_size, uint32_t b, uint32_t b_size) {
  return uint64_t{a} < uint64_t{b} + b_size && uint64_t{b} < uint64_t{a} + a_size;
}

absl::Status ValidateRange(const std::vector<IdRange>& ranges, size_t i) {
  const IdRange& range = ranges[i];
  const uint64_t highest = std::max<uint64_t>(range.container, range.host) + range.size;
  if (range.size == 0 || highest > UINT32_MAX) {
    return absl::InvalidArgumentError(absl::StrCat("id map [", i, "]: ", range.container, " to ",
                                                   range.host, ", length ", range.size));
  }
  for (size_t j = 0; j < i; ++j) {
    const IdRange& other = ranges[j];
    if (Overlap(range.container, range.size, other.container, other.size) ||
        Overlap(range.host, range.size, other.host, other.size)) {
      return absl::InvalidArgumentError(absl::StrCat("id map [", i, "] overlaps [", j, "]"));
    }
  }
  return absl::OkStatus();
}

std::string MapText(const std::vector<IdRange>& ranges) {
  std::string text;
  for (const IdRange& range : ranges) {
    absl::StrAppend(&text, range.container, " ", range.host, " ", range.size, "\n");
  }
  return text;
}

absl::Status WriteMaps(int procfs, pid_t pid, const std::vector<IdRange>& uids,
                       const std::vector<IdRange>& gids) {
  absl::Status status = WriteControlFile(procfs, absl::StrCat(pid, "/uid_map"), MapText(uids));
  if (!status.ok()) return status;
  return WriteControlFile(procfs, absl::StrCat(pid, "/gid_map"), MapText(gids));
}

absl::Status OpenNamespace(int procfs, pid_t pid, const char* type, UniqueFd& space) {
  const std::string path = absl::StrCat(pid, "/ns/", type);
  space.reset(openat(procfs, path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!space.valid()) return ErrnoStatus(errno, absl::StrCat("open the ", type, " namespace"));
  return absl::OkStatus();
}

// Makes new namespaces (CLONE_NEW* in `flags`, beside the user namespace that owns them) with a
// first process, which they need until they are opened by `open`.
template <typename Open>
absl::Status MakeNamespaces(int procfs, uint64_t flags, const std::vector<IdRange>& uids,
                            const std::vector<IdRange>& gids, Open open) {
  if (absl::Status status = ValidateIdMap(uids); !status.ok()) return status;
  if (absl::Status status = ValidateIdMap(gids); !status.ok()) return status;
  // With the caller's descriptors: copies of them would be flushed when it ends, log files on a
  // hung disk among them.
  absl::StatusOr<CloneResult> child = Clone(CLONE_NEWUSER | CLONE_FILES | flags, -1);
  if (!child.ok()) return Annotate(child.status(), "make a user namespace");
  if (child->pid == 0) {
    while (true) pause();
  }
  absl::Status status = WriteMaps(procfs, child->pid, uids, gids);
  if (status.ok()) status = open(child->pid);
  KillAndReap(child->pidfd.get());
  return status;
}

}  // namespace

absl::Status ValidateIdMap(const std::vector<IdRange>& ranges) {
  if (ranges.empty() || ranges.size() > kMaxRanges) {
    return absl::InvalidArgumentError(absl::StrCat("id map: ", ranges.size(), " ranges"));
  }
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (absl::Status status = ValidateRange(ranges, i); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> MakeUserNamespace(int procfs, const std::vector<IdRange>& uids,
                                           const std::vector<IdRange>& gids) {
  UniqueFd space;
  absl::Status status = MakeNamespaces(
      procfs, 0, uids, gids, [&](pid_t pid) { return OpenNamespace(procfs, pid, "user", space); });
  if (!status.ok()) return status;
  return space;
}

absl::StatusOr<OwnedNamespaces> MakeOwnedNamespaces(int procfs, const std::vector<IdRange>& uids,
                                                    const std::vector<IdRange>& gids) {
  OwnedNamespaces spaces;
  const std::pair<const char*, UniqueFd*> wanted[] = {
      {"user", &spaces.user}, {"net", &spaces.network}, {"ipc", &spaces.ipc}, {"uts", &spaces.uts}};
  constexpr uint64_t kFlags = CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
  absl::Status status = MakeNamespaces(procfs, kFlags, uids, gids, [&](pid_t pid) {
    for (const auto& [type, space] : wanted) {
      absl::Status opened = OpenNamespace(procfs, pid, type, *space);
      if (!opened.ok()) return opened;
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return spaces;
}

absl::StatusOr<uint32_t> HostId(const std::vector<IdRange>& map, uint32_t id) {
  if (map.empty()) return id;
  for (const IdRange& range : map) {
    if (id >= range.container && id - range.container < range.size) {
      return range.host + (id - range.container);
    }
  }
  return absl::InvalidArgumentError(absl::StrCat(id, " is not mapped in the pod's user namespace"));
}

absl::Status ProbeIdMapping(const std::string& directory) {
  // Any ids will do; nobody gets them.
  const std::vector<IdRange> map = {{0, 65536, 65536}};
  absl::StatusOr<UniqueFd> procfs = OpenOwnProcfs();
  if (!procfs.ok()) return procfs.status();
  absl::StatusOr<UniqueFd> space = MakeUserNamespace(procfs->get(), map, map);
  if (!space.ok()) return space.status();
  absl::StatusOr<UniqueFd> tree = CloneTree(AT_FDCWD, directory, TreeDepth::kOneMount);
  if (!tree.ok()) return Annotate(tree.status(), directory);
  return Annotate(MapMount(tree->get(), space->get()), directory);
}

absl::Status MapMount(int mount, int user_namespace) {
  const absl::Status status = ChangeMount(
      mount, {.set = MOUNT_ATTR_IDMAP | MOUNT_ATTR_NODEV, .user_namespace = user_namespace},
      TreeDepth::kOneMount);
  if (ErrnoOf(status) == EINVAL) {
    return WithErrno(absl::FailedPreconditionError(
                         "its file system has no ID-mapped mounts on this kernel, which the pod's "
                         "user namespace needs (tmpfs: Linux 6.3)"),
                     EINVAL);
  }
  return Annotate(status, "make an ID-mapped mount");
}

}  // namespace bulkhead::isolation
