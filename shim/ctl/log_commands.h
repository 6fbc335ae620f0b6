#ifndef BULKHEAD_SHIM_CTL_LOG_COMMANDS_H_
#define BULKHEAD_SHIM_CTL_LOG_COMMANDS_H_

#include "absl/status/status.h"
#include "shim/config/flags.h"

namespace bulkhead::ctl {

// Sets the verbosity of the daemon that listens on the configured socket.
absl::Status SetLogVerbosity(const config::Flags& flags, int level);

}  // namespace bulkhead::ctl

#endif  // BULKHEAD_SHIM_CTL_LOG_COMMANDS_H_
