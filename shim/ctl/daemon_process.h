#ifndef BULKHEAD_SHIM_CTL_DAEMON_PROCESS_H_
#define BULKHEAD_SHIM_CTL_DAEMON_PROCESS_H_

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::ctl {

// The running daemon. It cannot have been replaced by another process with the same number while
// the connection stands.
struct DaemonProcess {
  UniqueFd connection;
  pid_t pid = 0;
};

// By its socket. FAILED_PRECONDITION when another program listens there.
absl::StatusOr<DaemonProcess> FindDaemon(const std::string& socket);

}  // namespace bulkhead::ctl

#endif  // BULKHEAD_SHIM_CTL_DAEMON_PROCESS_H_
