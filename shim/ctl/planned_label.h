// The label of a security module that a container should have.
#ifndef BULKHEAD_SHIM_CTL_PLANNED_LABEL_H_
#define BULKHEAD_SHIM_CTL_PLANNED_LABEL_H_

#include <optional>
#include <string>

namespace bulkhead::ctl {

// What the container was launched with, from its pod's record below the daemon's state directory;
// empty: with none. Absent when there is no record of it.
std::optional<std::string> PlannedLabel(const std::string& state_directory,
                                        const std::string& container_id);

// Whether the kernel's label is the planned one; AppArmor's has a mode behind it.
bool IsPlannedLabel(const std::string& actual, const std::string& planned);

}  // namespace bulkhead::ctl

#endif  // BULKHEAD_SHIM_CTL_PLANNED_LABEL_H_
