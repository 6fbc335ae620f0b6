#ifndef BULKHEAD_SHIM_DAEMON_PROCESS_H_
#define BULKHEAD_SHIM_DAEMON_PROCESS_H_

#include "absl/status/status.h"

namespace bulkhead::daemon {

// Gives the process what a daemon that holds secrets and many descriptors needs. To be called first
// in main, before there are threads:
// - standard streams that were closed become /dev/null, so that no socket takes their number;
// - no core file is ever written and no unprivileged process may trace it (PR_SET_DUMPABLE), for
//   registry credentials are in its memory. The core limit stays: containers inherit it;
// - a peer that hangs up is an error of write(2), not a SIGPIPE;
// - files that containers read, such as resolv.conf, get the modes they are created with (umask).
absl::Status PrepareProcess();

// Raises the soft limit of descriptors to the hard one. Containers get the usual soft limit by
// their plan: programs that loop over all possible descriptors suffer from a high one.
absl::Status RaiseDescriptorLimit();

}  // namespace bulkhead::daemon

#endif  // BULKHEAD_SHIM_DAEMON_PROCESS_H_
