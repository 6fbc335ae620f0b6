// Mounts that only a process in the container's PID and cgroup namespaces can make.
#ifndef BULKHEAD_RUNTIME_ISOLATION_LATE_MOUNTS_H_
#define BULKHEAD_RUNTIME_ISOLATION_LATE_MOUNTS_H_

#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/plan.pb.h"
#include "runtime/isolation/mount_source.h"
#include "runtime/isolation/steps.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::isolation {

// The plan's part and what was opened for it outside. The plan must outlive the slice.
struct LateMountSlice {
  struct Late {
    MountSource source;
    const char* destination;
  };
  struct Hierarchy {
    const char* directory;
    const char* v1_options;
  };
  const char* label = "";  // The SELinux context of each tmpfs.
  bool proc = false;
  // The procfs, when it is made outside; see MakeProcOutside.
  UniqueFd proc_mount;
  bool cgroup_read_only = false;
  bool read_only_root = false;
  std::vector<Hierarchy> cgroup;
  struct Peer {
    int peer;  // Borrowed.
    const char* destination;
  };
  std::vector<Late> mounts;
  std::vector<Peer> peers;
  std::vector<const char*> masked_paths;
  std::vector<const char*> read_only_paths;
};

absl::StatusOr<LateMountSlice> LateMountsOutside(const plan::LateMountsPlan& plan,
                                                 std::span<const UniqueFd> fds, int user_namespace);

// Outside: makes the procfs of a PID namespace that its process will not be in. False where only a
// process in it can: before Linux 6.17.
absl::StatusOr<bool> MakeProcOutside(LateMountSlice& slice, int pid_namespace);

// Inside, each with the container's root as root and working directory.
Outcome MountProcInside(const LateMountSlice& slice);
Outcome MountCgroupInside(const LateMountSlice& slice);
Outcome MountLateInside(const LateMountSlice& slice);
// When all else is mounted.
Outcome JoinPeerGroupsInside(const LateMountSlice& slice);
Outcome ReadOnlyRootInside(const LateMountSlice& slice);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_LATE_MOUNTS_H_
