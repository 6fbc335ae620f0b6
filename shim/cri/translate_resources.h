#ifndef BULKHEAD_SHIM_CRI_TRANSLATE_RESOURCES_H_
#define BULKHEAD_SHIM_CRI_TRANSLATE_RESOURCES_H_

#include "proto/cri/api.pb.h"
#include "runtime/spec/container.h"
#include "shim/cri/faults.h"

namespace bulkhead::cri {

// Pure functions; see translate_security.h for `field` and `faults`. 0 and empty stay 0 and empty.
spec::Resources ToResources(const ::runtime::v1::LinuxContainerResources& resources,
                            const Field& field, Faults& faults);
::runtime::v1::LinuxContainerResources FromResources(const spec::Resources& resources);

}  // namespace bulkhead::cri

#endif  // BULKHEAD_SHIM_CRI_TRANSLATE_RESOURCES_H_
