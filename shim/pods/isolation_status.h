#ifndef BULKHEAD_SHIM_PODS_ISOLATION_STATUS_H_
#define BULKHEAD_SHIM_PODS_ISOLATION_STATUS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/isolation/cgroup.h"
#include "runtime/isolation/comparison.h"
#include "shim/pods/record.h"

namespace bulkhead::pods {

// A running container's isolation, read from the kernel and compared with the plan in `plan_file`
// (plan_file.h). `pid` is its first process. NOT_FOUND when that has ended, or when no plan was
// kept. Thread safe; blocks as the file systems of the container do.
absl::StatusOr<std::vector<isolation::Comparison>> CompareWithPlan(
    const isolation::CgroupManager& cgroups, const PodRecord& pod, const ContainerRecord& container,
    const std::string& plan_file, int32_t pid);

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_ISOLATION_STATUS_H_
