// Plans as JSON, without what is secret in them.
#ifndef BULKHEAD_SHIM_CTL_PLAN_JSON_H_
#define BULKHEAD_SHIM_CTL_PLAN_JSON_H_

#include "nlohmann/json.hpp"
#include "shim/pods/dry_plan.h"

namespace bulkhead::ctl {

// The messages of plan.proto by their fields' names, each with the list of descriptors that its
// `fd` fields are indexes of. Of the environment only the
// names; of the filter its length.
nlohmann::json ToJson(const pods::DryPlan& plan);

}  // namespace bulkhead::ctl

#endif  // BULKHEAD_SHIM_CTL_PLAN_JSON_H_
