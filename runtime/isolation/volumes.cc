#include "runtime/isolation/volumes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "runtime/isolation/relabel.h"
#include "runtime/kernel/file.h"
#include "runtime/kernel/mount.h"
#include "runtime/kernel/path.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

absl::StatusOr<UniqueFd> OpenSource(const std::string& path) {
  UniqueFd source(open(path.c_str(), O_PATH | O_CLOEXEC));
  if (source.valid()) return source;
  if (errno != ENOENT) return ErrnoStatus(errno, absl::StrCat("host_path \"", path, "\""));
  const UniqueFd root(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return ErrnoStatus(errno, "open /");
  absl::StatusOr<UniqueFd> made = MakeInRoot(root.get(), path, PathKind::kDirectory);
  if (!made.ok()) return Annotate(made.status(), absl::StrCat("host_path \"", path, "\""));
  return made;
}

enum class PeerGroup { kPrivate, kSlave, kShared };

// From the line of a mount in mountinfo (proc_pid_mountinfo(5)): the optional fields lie between
// the sixth field and a lone "-".
PeerGroup ParsePeerGroup(absl::string_view line) {
  const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ');
  PeerGroup group = PeerGroup::kPrivate;
  for (size_t i = 6; i < fields.size() && fields[i] != "-"; ++i) {
    if (absl::StartsWith(fields[i], "shared:")) return PeerGroup::kShared;
    if (absl::StartsWith(fields[i], "master:")) group = PeerGroup::kSlave;
  }
  return group;
}

absl::StatusOr<PeerGroup> PeerGroupOf(int fd) {
  struct statx st = {};
  if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) != 0) return ErrnoStatus(errno, "statx");
  absl::StatusOr<std::string> table = ReadFile("/proc/thread-self/mountinfo");
  if (!table.ok()) return table.status();
  for (absl::string_view line : absl::StrSplit(*table, '\n', absl::SkipEmpty())) {
    uint64_t id = 0;
    if (absl::SimpleAtoi(line.substr(0, line.find(' ')), &id) && id == st.stx_mnt_id) {
      return ParsePeerGroup(line);
    }
  }
  return absl::FailedPreconditionError("its mount is not in the mount table");
}

absl::Status CheckPropagation(const spec::Mount& mount, int source) {
  if (mount.propagation == spec::MountPropagation::kPrivate) return absl::OkStatus();
  const std::string what = absl::StrCat("host_path \"", mount.host_path, "\"");
  absl::StatusOr<PeerGroup> group = PeerGroupOf(source);
  if (!group.ok()) return Annotate(group.status(), what);
  if (*group == PeerGroup::kShared) return absl::OkStatus();
  if (mount.propagation == spec::MountPropagation::kBidirectional) {
    return absl::FailedPreconditionError(
        absl::StrCat(what, ": Bidirectional propagation, but it is not on a shared mount"));
  }
  if (*group == PeerGroup::kSlave) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      what, ": HostToContainer propagation, but it is not on a shared or slave mount"));
}

absl::Status CheckAbsolute(const spec::Mount& mount) {
  if (absl::StartsWith(mount.host_path, "/")) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("host_path \"", mount.host_path, "\" is not absolute"));
}

absl::StatusOr<VolumeFacts> FactsOf(const spec::Mount& mount, int source) {
  if (absl::Status status = CheckPropagation(mount, source); !status.ok()) return status;
  struct stat st;
  if (fstat(source, &st) != 0) return ErrnoStatus(errno, mount.host_path);
  return VolumeFacts{.directory = S_ISDIR(st.st_mode)};
}

absl::Status Relabel(int source, const VolumeLabel& label) {
  // A container makes what depth it likes.
  constexpr size_t kMaxDepth = 256;
  const HostFiles spared(label.spared);
  if (absl::Status status = spared.CheckNotOf(source); !status.ok()) return status;
  return RelabelTree(source, label.label,
                     {.spared = &spared, .max_depth = kMaxDepth, .stopped = label.stopped});
}

}  // namespace

absl::StatusOr<OpenedVolume> OpenVolume(const spec::Mount& mount, const VolumeLabel& label) {
  if (absl::Status status = CheckAbsolute(mount); !status.ok()) return status;
  absl::StatusOr<UniqueFd> source = OpenSource(mount.host_path);
  if (!source.ok()) return source.status();
  absl::StatusOr<VolumeFacts> facts = FactsOf(mount, source->get());
  if (!facts.ok()) return facts.status();
  if (mount.selinux_relabel && !label.label.empty()) {
    const absl::Status relabelled = Relabel(source->get(), label);
    if (!relabelled.ok()) {
      return Annotate(relabelled,
                      absl::StrCat("selinux_relabel of host_path \"", mount.host_path, "\""));
    }
  }
  absl::StatusOr<UniqueFd> tree = CloneTree(source->get(), "", TreeDepth::kRecursive);
  if (!tree.ok()) return Annotate(tree.status(), mount.host_path);
  return OpenedVolume{.tree = *std::move(tree), .facts = *std::move(facts)};
}

absl::StatusOr<VolumeFacts> FindVolume(const spec::Mount& mount) {
  if (absl::Status status = CheckAbsolute(mount); !status.ok()) return status;
  const UniqueFd source(open(mount.host_path.c_str(), O_PATH | O_CLOEXEC));
  if (source.valid()) return FactsOf(mount, source.get());
  if (errno == ENOENT) return VolumeFacts{};  // It would be made.
  return ErrnoStatus(errno, absl::StrCat("host_path \"", mount.host_path, "\""));
}

}  // namespace bulkhead::isolation
