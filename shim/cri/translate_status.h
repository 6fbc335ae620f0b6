#ifndef BULKHEAD_SHIM_CRI_TRANSLATE_STATUS_H_
#define BULKHEAD_SHIM_CRI_TRANSLATE_STATUS_H_

#include "absl/status/statusor.h"
#include "proto/cri/api.pb.h"
#include "runtime/isolation/comparison.h"
#include "shim/pods/status.h"

// Pure functions between the pod service's statuses and filters and the CRI's.
namespace bulkhead::cri {

::runtime::v1::PodSandboxStatus FromPodStatus(const pods::PodStatus& pod);
// A line of ListPodSandbox.
::runtime::v1::PodSandbox FromPodItem(const pods::PodStatus& pod);

::runtime::v1::ContainerStatus FromContainerStatus(const pods::ContainerStatus& container);
// A line of ListContainers.
::runtime::v1::Container FromContainerItem(const pods::ContainerStatus& container);

// What verbose status shows beside the status: one JSON object, without environment or annotations.
std::string PodInfo(const pods::PodStatus& pod);
std::string ContainerInfo(const pods::ContainerStatus& container);
// Each mechanism as planned and as it is, or why that cannot be told.
std::string IsolationInfo(const absl::StatusOr<std::vector<isolation::Comparison>>& isolation);

// INVALID_ARGUMENT for a state that the CRI does not have.
absl::StatusOr<pods::PodFilter> ToPodFilter(const ::runtime::v1::PodSandboxFilter& filter);
absl::StatusOr<pods::ContainerFilter> ToContainerFilter(
    const ::runtime::v1::ContainerFilter& filter);

}  // namespace bulkhead::cri

#endif  // BULKHEAD_SHIM_CRI_TRANSLATE_STATUS_H_
