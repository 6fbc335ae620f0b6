#ifndef BULKHEAD_SHIM_CTL_PLAN_COMMAND_H_
#define BULKHEAD_SHIM_CTL_PLAN_COMMAND_H_

#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "shim/config/flags.h"

namespace bulkhead::ctl {

struct PlanOptions {
  // Files with a PodSandboxConfig and a ContainerConfig of the CRI in JSON or YAML, as crictl takes
  // them.
  std::string pod;
  std::string container;
  std::string handler;  // Of the pod's RuntimeClass.
};

// Prints as JSON what would be done for the container, and does nothing of it. An error is what the
// kubelet would be told.
absl::Status PrintPlan(const config::Flags& flags, const PlanOptions& options, std::ostream& out);

}  // namespace bulkhead::ctl

#endif  // BULKHEAD_SHIM_CTL_PLAN_COMMAND_H_
