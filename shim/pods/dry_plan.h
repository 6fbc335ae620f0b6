#ifndef BULKHEAD_SHIM_PODS_DRY_PLAN_H_
#define BULKHEAD_SHIM_PODS_DRY_PLAN_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/plan.pb.h"
#include "runtime/isolation/cgroup.h"
#include "runtime/isolation/plan_launch.h"
#include "runtime/isolation/plan_pod.h"
#include "runtime/isolation/plan_root.h"
#include "runtime/spec/container.h"
#include "runtime/spec/pod.h"
#include "shim/config/config.h"
#include "shim/image/image_service.h"

namespace bulkhead::pods {

// All that would be done for a pod and a container.
struct DryPlan {
  isolation::PlannedPod pod;
  isolation::PlannedRoot root;
  isolation::PlannedLaunch launch;
  std::string cgroup;
  spec::Resources resources;
  std::vector<isolation::DeviceRule> devices;  // None for a privileged container.
  std::vector<spec::Hook> hooks;
};

// Plans by the same functions as the life cycle, on this host and with this configuration, and
// makes nothing. Where a running pod has an id of its own the paths have "POD" and "CONTAINER"; the
// ids of a user namespace that its handler gives it are the first ones configured, its SELinux
// level is s0:c0,c1 unless it asks for one. Errors as those of RunPodSandbox and CreateContainer;
// UNIMPLEMENTED for a PID namespace of another container.
absl::StatusOr<DryPlan> PlanWithoutMaking(const config::Config& config, image::ImageService& images,
                                          const spec::PodSpec& pod,
                                          const spec::ContainerSpec& container);

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_DRY_PLAN_H_
