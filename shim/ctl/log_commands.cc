#include "shim/ctl/log_commands.h"

#include <errno.h>
#include <signal.h>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"
#include "shim/ctl/daemon_process.h"

namespace bulkhead::ctl {

absl::Status SetLogVerbosity(const config::Flags& flags, int level) {
  const absl::StatusOr<config::Config> config = flags.Load();
  if (!config.ok()) return config.status();
  const absl::StatusOr<DaemonProcess> daemon = FindDaemon(config->daemon.socket);
  if (!daemon.ok()) return daemon.status();
  sigval value{};
  value.sival_int = level;
  // Queued with a value the signal sets the level, sent by kill(1) it raises it.
  if (sigqueue(daemon->pid, SIGUSR1, value) != 0) {
    return ErrnoStatus(errno, absl::StrCat("signal process ", daemon->pid));
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::ctl
