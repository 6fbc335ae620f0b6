#include "shim/daemon/directory_lock.h"

#include <errno.h>
#include <sys/stat.h>

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/process_lock.h"
#include "runtime/kernel/status.h"

namespace bulkhead::daemon {
namespace {

absl::Status MakeDirectory(const std::string& directory) {
  std::error_code error;
  const bool made = std::filesystem::create_directories(directory, error);
  if (error) return ErrnoStatus(error.value(), absl::StrCat("create directory ", directory));
  if (made && chmod(directory.c_str(), 0711) != 0) {
    return ErrnoStatus(errno, absl::StrCat("chmod ", directory));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<DirectoryLock> DirectoryLock::Take(const std::string& directory) {
  const absl::Status status = MakeDirectory(directory);
  if (!status.ok()) return status;
  absl::StatusOr<ProcessLock> lock = LockForProcess(absl::StrCat(directory, "/lock"));
  if (!lock.ok()) return lock.status();
  if (!lock->fd.valid()) {
    return absl::FailedPreconditionError(
        absl::StrCat(directory, " is in use by another daemon, process ", lock->holder));
  }
  return DirectoryLock(std::move(lock->fd));
}

}  // namespace bulkhead::daemon
