#ifndef BULKHEAD_RUNTIME_SPEC_RESOURCES_H_
#define BULKHEAD_RUNTIME_SPEC_RESOURCES_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace bulkhead::spec {

struct HugepageLimit {
  // Such as "2MB".
  std::string page_size;
  uint64_t limit = 0;  // Bytes.

  bool operator==(const HugepageLimit&) const = default;
};

// CRI LinuxContainerResources, and a limit of the container's handler; 0 and empty mean "not
// asked".
struct Resources {
  int64_t cpu_period = 0;  // Microseconds.
  int64_t cpu_quota = 0;   // Microseconds; -1: none.
  int64_t cpu_shares = 0;
  int64_t memory_limit = 0;  // Bytes; -1: none.
  // Memory and swap together, bytes; -1: none.
  int64_t memory_swap_limit = 0;
  int64_t oom_score_adj = 0;
  std::string cpuset_cpus;
  std::string cpuset_mems;
  std::vector<HugepageLimit> hugepage_limits;
  // cgroup v2 file to value.
  std::map<std::string, std::string> unified;
  int64_t pids_limit = 0;  // Not in the CRI.

  bool operator==(const Resources&) const = default;
};

// What a pod has as a whole. The kubelet sets it in the pod's cgroup itself and tells of it here.
struct PodResources {
  Resources overhead;   // Of what runs the pod, beside its containers.
  Resources resources;  // The containers' together, or the pod's own where it has a limit.

  bool operator==(const PodResources&) const = default;
};

}  // namespace bulkhead::spec

#endif  // BULKHEAD_RUNTIME_SPEC_RESOURCES_H_
