#ifndef BULKHEAD_SHIM_CRI_TRANSLATE_CONTAINER_H_
#define BULKHEAD_SHIM_CRI_TRANSLATE_CONTAINER_H_

#include "absl/status/statusor.h"
#include "proto/cri/api.pb.h"
#include "runtime/spec/container.h"

namespace bulkhead::cri {

// Pure functions. INVALID_ARGUMENT or UNIMPLEMENTED names the field of the request and its value;
// never the value of an environment variable.
absl::StatusOr<spec::ContainerSpec> ToContainerSpec(
    const ::runtime::v1::CreateContainerRequest& request);
absl::StatusOr<spec::Resources> ToResources(
    const ::runtime::v1::UpdateContainerResourcesRequest& request);

::runtime::v1::Mount FromMount(const spec::Mount& mount);

}  // namespace bulkhead::cri

#endif  // BULKHEAD_SHIM_CRI_TRANSLATE_CONTAINER_H_
