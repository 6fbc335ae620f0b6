#include "shim/pods/process_streams.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>

#include "runtime/kernel/status.h"

namespace bulkhead::pods {

absl::StatusOr<Pipe> MakePipe(OurEnd ours) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "pipe2");
  Pipe pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
  const UniqueFd& own = ours == OurEnd::kRead ? pipe.read : pipe.write;
  if (fcntl(own.get(), F_SETFL, O_NONBLOCK) != 0) return ErrnoStatus(errno, "fcntl");
  return pipe;
}

absl::StatusOr<UniqueFd> Duplicate(const UniqueFd& fd) {
  UniqueFd copy(fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
  if (!copy.valid()) return ErrnoStatus(errno, "duplicate a descriptor");
  return copy;
}

absl::Status ResizeTerminal(const UniqueFd& master, const TerminalSize& size) {
  if (!master.valid()) return absl::FailedPreconditionError("the process has no terminal");
  const winsize window = {.ws_row = size.height, .ws_col = size.width};
  if (ioctl(master.get(), TIOCSWINSZ, &window) != 0) return ErrnoStatus(errno, "TIOCSWINSZ");
  return absl::OkStatus();
}

bool IsReadable(int fd) {
  pollfd polled{fd, POLLIN, 0};
  return poll(&polled, 1, 0) == 1 && polled.revents != 0;
}

}  // namespace bulkhead::pods
