// What this host offers, found out once at start.
#ifndef BULKHEAD_RUNTIME_ISOLATION_HOST_FACTS_H_
#define BULKHEAD_RUNTIME_ISOLATION_HOST_FACTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/isolation/selinux.h"

namespace bulkhead::isolation {

// One mounted cgroup hierarchy.
struct CgroupHierarchy {
  std::string mount_point;  // "/sys/fs/cgroup/memory"
  // v1: the controllers, or "name=systemd"; v2: what cgroup.controllers offers at the root.
  std::vector<std::string> controllers;
  // Where this process is below the mount point: "/" or "/system.slice/bulkhead.service".
  std::string own_path;

  bool operator==(const CgroupHierarchy&) const = default;
};

enum class CgroupLayout { kV1, kHybrid, kV2 };

struct CgroupFacts {
  CgroupLayout layout = CgroupLayout::kV2;
  std::vector<CgroupHierarchy> v1;
  std::optional<CgroupHierarchy> v2;

  // The v1 hierarchy with this controller, or null.
  const CgroupHierarchy* FindV1(std::string_view controller) const;
  bool operator==(const CgroupFacts&) const = default;
};

struct HostFacts {
  CgroupFacts cgroup;
  uint64_t bounding_set = 0;  // Bit n is capability n; of this process.
  bool sys_resource = false;  // CAP_SYS_RESOURCE is effective.
  // Of this process; without CAP_SYS_RESOURCE nothing can be set lower.
  int oom_score_adj = 0;
  uint64_t open_files_hard = 0;             // RLIMIT_NOFILE of this process.
  std::vector<std::string> hugepage_sizes;  // As in the CRI and cgroup files: "2MB", "1GB".
  std::string kernel_release;
  bool apparmor = false;
  std::optional<SelinuxFacts> selinux;  // Absent without SELinux, or without a policy loaded.
  bool seccomp = false;
  // The host's /dev/shm exists, for pods in the host's IPC namespace.
  bool dev_shm = false;
  // systemd is the service manager: sd_booted(3).
  bool systemd = false;

  bool operator==(const HostFacts&) const = default;
};

// Reads /proc and /sys. Not cheap; the answer does not change while the daemon lives.
absl::StatusOr<HostFacts> ProbeHost();

// From the texts of /proc/self/mountinfo and /proc/self/cgroup; a pure function. Controllers of
// v2 are left empty.
absl::StatusOr<CgroupFacts> ParseCgroupFacts(std::string_view mountinfo, std::string_view cgroup);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_HOST_FACTS_H_
