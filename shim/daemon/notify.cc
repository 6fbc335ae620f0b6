#include "shim/daemon/notify.h"

#include <systemd/sd-daemon.h>

#include "runtime/kernel/status.h"

namespace bulkhead::daemon {
namespace {

absl::Status Notify(const char* state) {
  const int result = sd_notify(0, state);
  return result < 0 ? ErrnoStatus(-result, "sd_notify") : absl::OkStatus();
}

}  // namespace

absl::Status NotifyReady() { return Notify("READY=1"); }

absl::Status NotifyStopping() { return Notify("STOPPING=1"); }

}  // namespace bulkhead::daemon
