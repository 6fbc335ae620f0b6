#ifndef BULKHEAD_SHIM_CTL_CONFIG_COMMANDS_H_
#define BULKHEAD_SHIM_CTL_CONFIG_COMMANDS_H_

#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "shim/config/flags.h"

namespace bulkhead::ctl {

absl::Status PrintDefaultConfig(std::ostream& out);
absl::Status ShowConfig(const config::Flags& flags, std::ostream& out);
// Checks `file` alone, or the configuration that is in force if it is empty.
absl::Status ValidateConfig(const config::Flags& flags, const std::string& file, std::ostream& out);

}  // namespace bulkhead::ctl

#endif  // BULKHEAD_SHIM_CTL_CONFIG_COMMANDS_H_
