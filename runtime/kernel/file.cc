#include "runtime/kernel/file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/mount.h"
#include "runtime/kernel/status.h"

namespace bulkhead {

absl::StatusOr<std::string> ReadAll(int fd, size_t limit) {
  std::string content;
  char buffer[16384];
  while (true) {
    const ssize_t n = read(fd, buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus(errno, "read");
    if (n == 0) return content;
    if (content.size() + n > limit) {
      return absl::ResourceExhaustedError(absl::StrCat("larger than ", limit, " bytes"));
    }
    content.append(buffer, n);
  }
}

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t limit) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoStatus(errno, absl::StrCat("open ", path));
  absl::StatusOr<std::string> content = ReadAll(fd.get(), limit);
  if (!content.ok()) return Annotate(content.status(), path);
  return content;
}

absl::Status WriteControlFile(int directory, const std::string& path, std::string_view value) {
  UniqueFd fd(openat(directory, path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd.valid()) return ErrnoStatus(errno, absl::StrCat("open ", path));
  ssize_t n;
  do {
    n = write(fd.get(), value.data(), value.size());
  } while (n < 0 && errno == EINTR);
  if (n != static_cast<ssize_t>(value.size())) {
    return ErrnoStatus(
        n < 0 ? errno : EIO,
        absl::StrCat("write \"", absl::string_view(value.data(), value.size()), "\" to ", path));
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> OpenOwnProcfs() {
  absl::StatusOr<UniqueFd> procfs =
      NewFilesystem("proc", {}, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  if (!procfs.ok()) return procfs;
  if (const int error = VerifyProcfs(procfs->get()); error != 0) {
    return ErrnoStatus(error, "verify a new procfs");
  }
  return procfs;
}

int VerifyProcfs(int fd) {
  struct statfs fs;
  if (fstatfs(fd, &fs) != 0) return errno;
  return fs.f_type == PROC_SUPER_MAGIC ? 0 : EXDEV;
}

}  // namespace bulkhead
