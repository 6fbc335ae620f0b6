#ifndef BULKHEAD_SHIM_PODS_PLAN_FILE_H_
#define BULKHEAD_SHIM_PODS_PLAN_FILE_H_

#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/plan.pb.h"

namespace bulkhead::pods {

// What a container was made by, kept beside its pod's record, so that what it has can be compared
// with it later. Its environment and arguments are left
// out: a pod may have secrets in both.
absl::Status WritePlanFile(const std::string& path, const plan::RootPlan& root,
                           const plan::LaunchPlan& launch, const std::set<std::string>& devices);

// Adds where hooks mounted something.
absl::Status AddHookMounts(const std::string& path, const std::vector<std::string>& mounts);

// NOT_FOUND for a container of a version that kept none. DATA_LOSS for one that does not parse.
absl::StatusOr<plan::ContainerPlan> ReadPlanFile(const std::string& path);

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_PLAN_FILE_H_
