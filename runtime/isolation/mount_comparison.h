#ifndef BULKHEAD_RUNTIME_ISOLATION_MOUNT_COMPARISON_H_
#define BULKHEAD_RUNTIME_ISOLATION_MOUNT_COMPARISON_H_

#include <set>
#include <string>
#include <vector>

#include "proto/plan.pb.h"
#include "runtime/isolation/comparison.h"
#include "runtime/isolation/report.h"

namespace bulkhead::isolation {

// The paths of a container at which its plan has mounts.
std::vector<std::string> MountPaths(const plan::ContainerPlan& plan);
// Those among them whose sources are known.
std::set<std::string> VolumePaths(const plan::ContainerPlan& plan);

// The root, each planned mount, masked and read-only path, and mounts that no plan tells of, unless
// the container has CAP_SYS_ADMIN and may have made them itself.
std::vector<Comparison> CompareMounts(const plan::ContainerPlan& plan,
                                      const IsolationReport& actual);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_MOUNT_COMPARISON_H_
