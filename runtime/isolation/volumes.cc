#include "runtime/isolation/volumes.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/isolation/relabel.h"
#include "runtime/kernel/mount.h"
#include "runtime/kernel/path.h"
#include "runtime/kernel/peer_group.h"
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

absl::StatusOr<PeerGroup> FindPeerGroup(int source) {
  const UniqueFd procfs(open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!procfs.valid()) return ErrnoStatus(errno, "open /proc");
  return PeerGroupOf(source, procfs.get());
}

absl::Status CheckPropagation(const spec::Mount& mount, int source) {
  if (mount.propagation == spec::MountPropagation::kPrivate) return absl::OkStatus();
  const std::string what = absl::StrCat("host_path \"", mount.host_path, "\"");
  absl::StatusOr<PeerGroup> group = FindPeerGroup(source);
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
  return VolumeFacts{.directory = S_ISDIR(st.st_mode), .device = st.st_dev, .inode = st.st_ino};
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

void SharedVolumes::Add(std::string destination, UniqueFd peer) {
  destinations.push_back(std::move(destination));
  peers.push_back(std::move(peer));
}

void SharedVolumes::Append(SharedVolumes more) {
  for (size_t i = 0; i < more.peers.size(); ++i) {
    Add(std::move(more.destinations[i]), std::move(more.peers[i]));
  }
}

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
  OpenedVolume volume{.tree = *std::move(tree), .peer = {}, .facts = *std::move(facts)};
  if (mount.propagation != spec::MountPropagation::kBidirectional) return volume;
  absl::StatusOr<UniqueFd> peer = CloneTree(source->get(), "", TreeDepth::kOneMount);
  if (!peer.ok()) return Annotate(peer.status(), mount.host_path);
  volume.peer = *std::move(peer);
  return volume;
}

absl::StatusOr<VolumeFacts> FindVolume(const spec::Mount& mount) {
  if (absl::Status status = CheckAbsolute(mount); !status.ok()) return status;
  const UniqueFd source(open(mount.host_path.c_str(), O_PATH | O_CLOEXEC));
  if (source.valid()) return FactsOf(mount, source.get());
  if (errno == ENOENT) return VolumeFacts{};  // It would be made.
  return ErrnoStatus(errno, absl::StrCat("host_path \"", mount.host_path, "\""));
}

}  // namespace bulkhead::isolation
