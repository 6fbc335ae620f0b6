#ifndef BULKHEAD_RUNTIME_ISOLATION_RLIMITS_H_
#define BULKHEAD_RUNTIME_ISOLATION_RLIMITS_H_

#include "google/protobuf/repeated_field.h"
#include "proto/plan.pb.h"
#include "runtime/isolation/steps.h"

namespace bulkhead::isolation {

// Inside. EPERM when a hard limit would have to be raised without CAP_SYS_RESOURCE.
Outcome SetRlimitsInside(const google::protobuf::RepeatedPtrField<plan::Rlimit>& rlimits);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_RLIMITS_H_
