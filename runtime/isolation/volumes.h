// Volumes, opened in the host's mount namespace.
#ifndef BULKHEAD_RUNTIME_ISOLATION_VOLUMES_H_
#define BULKHEAD_RUNTIME_ISOLATION_VOLUMES_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"
#include "runtime/spec/container.h"

namespace bulkhead::isolation {

// What planning needs to know of a volume.
struct VolumeFacts {
  bool directory = true;
  // stat(2); 0: not known.
  uint64_t device = 0;
  uint64_t inode = 0;
  // Of an image volume: its image's layer directories, topmost first.
  std::vector<std::string> layers;

  bool operator==(const VolumeFacts&) const = default;
};

struct OpenedVolume {
  // A detached, recursive copy of the source's mount tree; not valid for an image volume.
  UniqueFd tree;
  // Of a Bidirectional volume: a copy of its topmost mount, in whose peer group the container's is.
  UniqueFd peer;
  VolumeFacts facts;
};

// Bidirectional volumes: where each is mounted, and the peer of its topmost mount.
struct SharedVolumes {
  std::vector<std::string> destinations;
  std::vector<UniqueFd> peers;

  void Add(std::string destination, UniqueFd peer);
  void Append(SharedVolumes more);
};

// How a volume that asks for it is relabelled.
struct VolumeLabel {
  std::string label;                // An SELinux context; empty: nothing is.
  std::vector<std::string> spared;  // Directories beside the host's; see HostFiles.
  std::function<bool()> stopped;    // See RelabelOptions.
};

// Opens the source of a volume, symbolic links followed on the host. A source that does not
// exist is made as a directory (0755), as the kubelet's peers do. INVALID_ARGUMENT naming
// host_path: relative; FAILED_PRECONDITION: Bidirectional asks for a source on a shared mount,
// HostToContainer for one on a shared or slave mount. Where the mount asks for it, the source is
// relabelled first: INVALID_ARGUMENT naming selinux_relabel for the host's own files and for more
// than 256 directories below one another. Runs in the daemon.
absl::StatusOr<OpenedVolume> OpenVolume(const spec::Mount& mount, const VolumeLabel& label = {});

// What OpenVolume would find; makes nothing.
absl::StatusOr<VolumeFacts> FindVolume(const spec::Mount& mount);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_VOLUMES_H_
