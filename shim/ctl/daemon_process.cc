#include "shim/ctl/daemon_process.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"

namespace bulkhead::ctl {
namespace {

absl::StatusOr<UniqueFd> Connect(const std::string& path) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return ErrnoStatus(errno, "create a socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return ErrnoStatus(errno, absl::StrCat("no daemon answers on ", path));
  }
  return fd;
}

std::string NameOf(pid_t pid) {
  std::string name;
  std::getline(std::ifstream(absl::StrCat("/proc/", pid, "/comm")), name);
  return name;
}

// The process that listens on the other end.
absl::StatusOr<pid_t> DaemonOf(int connection, const std::string& path) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return ErrnoStatus(errno, "getsockopt SO_PEERCRED");
  }
  const std::string name = NameOf(peer.pid);
  if (name == "bulkheadd") return peer.pid;
  // Any other program would likely end from the signal.
  return absl::FailedPreconditionError(
      absl::StrCat("the process on ", path, " is \"", name, "\", not bulkheadd"));
}

}  // namespace

absl::StatusOr<DaemonProcess> FindDaemon(const std::string& socket) {
  absl::StatusOr<UniqueFd> connection = Connect(socket);
  if (!connection.ok()) return connection.status();
  const absl::StatusOr<pid_t> pid = DaemonOf(connection->get(), socket);
  if (!pid.ok()) return pid.status();
  return DaemonProcess{*std::move(connection), *pid};
}

}  // namespace bulkhead::ctl
