#ifndef BULKHEAD_SHIM_DAEMON_NOTIFY_H_
#define BULKHEAD_SHIM_DAEMON_NOTIFY_H_

#include "absl/status/status.h"

namespace bulkhead::daemon {

// Tell the service manager, sd_notify(3). OK, with nothing done, when none asked to be told
// (NOTIFY_SOCKET).
absl::Status NotifyReady();
absl::Status NotifyStopping();

}  // namespace bulkhead::daemon

#endif  // BULKHEAD_SHIM_DAEMON_NOTIFY_H_
