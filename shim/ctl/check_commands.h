#ifndef BULKHEAD_SHIM_CTL_CHECK_COMMANDS_H_
#define BULKHEAD_SHIM_CTL_CHECK_COMMANDS_H_

#include <ostream>

#include "absl/status/status.h"
#include "shim/config/flags.h"

namespace bulkhead::ctl {

// Prints the host's fitness line by line. FAILED_PRECONDITION when pods cannot run on it.
absl::Status CheckThisHost(const config::Flags& flags, bool json, std::ostream& out);

}  // namespace bulkhead::ctl

#endif  // BULKHEAD_SHIM_CTL_CHECK_COMMANDS_H_
