#include "runtime/kernel/process_lock.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"

namespace bulkhead {

absl::StatusOr<ProcessLock> LockForProcess(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd.valid()) return ErrnoStatus(errno, absl::StrCat("open ", path));
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (fcntl(fd.get(), F_SETLK, &lock) == 0) return ProcessLock{.fd = std::move(fd)};
  if (errno != EACCES && errno != EAGAIN) return ErrnoStatus(errno, absl::StrCat("lock ", path));
  if (fcntl(fd.get(), F_GETLK, &lock) != 0) return ErrnoStatus(errno, absl::StrCat("lock ", path));
  return ProcessLock{.holder = lock.l_type == F_UNLCK ? 0 : std::max(lock.l_pid, 0)};
}

}  // namespace bulkhead
