#include "shim/daemon/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/kernel/status.h"

namespace bulkhead::daemon {
namespace {

// open(2) returns the lowest free number, so that each closed stream gets its own.
absl::Status OpenStandardStreams() {
  int fd;
  do {
    fd = open("/dev/null", O_RDWR);  // NOLINT: not O_CLOEXEC, these are the standard streams.
    if (fd < 0) return ErrnoStatus(errno, "open /dev/null");
  } while (fd <= STDERR_FILENO);
  close(fd);
  return absl::OkStatus();
}

}  // namespace

absl::Status PrepareProcess() {
  const absl::Status status = OpenStandardStreams();
  if (!status.ok()) return status;
  if (prctl(PR_SET_DUMPABLE, 0) != 0) return ErrnoStatus(errno, "prctl PR_SET_DUMPABLE");
  if (signal(SIGPIPE, SIG_IGN) == SIG_ERR) return ErrnoStatus(errno, "ignore SIGPIPE");
  umask(022);
  return absl::OkStatus();
}

absl::Status RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return ErrnoStatus(errno, "getrlimit RLIMIT_NOFILE");
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return ErrnoStatus(errno, "setrlimit RLIMIT_NOFILE");
  return absl::OkStatus();
}

}  // namespace bulkhead::daemon
