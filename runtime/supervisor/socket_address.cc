#include "runtime/supervisor/socket_address.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"

namespace bulkhead::supervisor {

absl::StatusOr<SocketAddress> SocketAddress::Of(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const std::string name = path.substr(slash == std::string::npos ? 0 : slash + 1);
  UniqueFd fd(open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) {
    const absl::Status status = ErrnoStatus(errno, absl::StrCat("open ", directory));
    // No directory, so no supervisor either.
    if (ErrnoOf(status) != ENOENT) return status;
    return WithErrno(absl::UnavailableError(status.message()), ENOENT);
  }
  const std::string near = absl::StrCat("/proc/self/fd/", fd.get(), "/", name);
  SocketAddress address(std::move(fd));
  if (name.empty() || near.size() >= sizeof(address.address_.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("not the path of a socket: ", path));
  }
  memcpy(address.address_.sun_path, near.c_str(), near.size() + 1);
  return address;
}

}  // namespace bulkhead::supervisor
