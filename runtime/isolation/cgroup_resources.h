// Limits as writes to cgroup files; pure functions.
#ifndef BULKHEAD_RUNTIME_ISOLATION_CGROUP_RESOURCES_H_
#define BULKHEAD_RUNTIME_ISOLATION_CGROUP_RESOURCES_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/isolation/cgroup_files.h"
#include "runtime/spec/container.h"

namespace bulkhead::isolation {

// v1's cpu.shares (2 to 262144, 1024 is normal) as v2's cpu.weight (1 to 10000, 100 is normal),
// by the curve that maps all three onto each other.
uint64_t CpuWeight(int64_t shares);

// Whether a huge page limit needs its controller: 0 stands for "none", and the kubelet sends it
// for every page size of the host whether or not it can be enforced.
bool IsRealHugepageLimit(uint64_t limit);

// What a plan of writes must know of the cgroup as it is.
struct CgroupState {
  // Whether the cgroup has a file, such as "memory.max".
  std::function<bool(const std::string&)> has_file;
  bool swap_in_use = false;      // The host has swap space.
  int64_t memory_and_swap = -1;  // v1's memory.memsw.limit_in_bytes; -1: none or unknown.
  std::string cpu_max;           // v2's cpu.max.
};

// In an order that the kernel accepts. FAILED_PRECONDITION naming the field whose file is not
// there; INVALID_ARGUMENT: a name in `unified` that is no controller's file, swap below memory.
absl::StatusOr<std::vector<CgroupWrite>> PlanV1Writes(const spec::Resources& resources,
                                                      const CgroupState& state);
absl::StatusOr<std::vector<CgroupWrite>> PlanV2Writes(const spec::Resources& resources,
                                                      const CgroupState& state);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_CGROUP_RESOURCES_H_
