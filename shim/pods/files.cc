#include "shim/pods/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/status.h"
#include "shim/image/tree.h"

namespace bulkhead::pods {

absl::Status WriteFile(const std::string& path, const std::string& content, mode_t mode) {
  const UniqueFd file(
      open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!file.valid()) return ErrnoStatus(errno, "open " + path);
  size_t written = 0;
  while (written < content.size()) {
    const ssize_t count = write(file.get(), content.data() + written, content.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ErrnoStatus(errno, "write " + path);
    written += static_cast<size_t>(count);
  }
  return absl::OkStatus();
}

absl::Status ReplaceFile(const std::string& path, const std::string& content, mode_t mode) {
  const std::string temporary = path + ".new";
  absl::Status status = WriteFile(temporary, content, mode);
  if (status.ok() && rename(temporary.c_str(), path.c_str()) != 0) {
    status = ErrnoStatus(errno, "rename to " + path);
  }
  if (!status.ok()) unlink(temporary.c_str());
  return status;
}

absl::StatusOr<std::string> ReadFile(const std::string& path, size_t limit) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return ErrnoStatus(errno, "open " + path);
  std::string content;
  char buffer[16384];
  while (true) {
    const ssize_t count = read(file.get(), buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ErrnoStatus(errno, "read " + path);
    if (count == 0) return content;
    content.append(buffer, static_cast<size_t>(count));
    if (content.size() > limit) {
      return absl::ResourceExhaustedError(
          absl::StrCat("read ", path, ": larger than ", limit, " bytes"));
    }
  }
}

absl::Status MakeDirectory(const std::string& path, mode_t mode) {
  if (mkdir(path.c_str(), mode) == 0 || errno == EEXIST) return absl::OkStatus();
  return ErrnoStatus(errno, "mkdir " + path);
}

absl::Status MakeDirectories(const std::string& path, mode_t mode) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    const absl::Status made = MakeDirectory(path.substr(0, slash), mode);
    if (!made.ok()) return made;
  }
  return MakeDirectory(path, mode);
}

absl::Status RemoveTree(const std::string& path) {
  const size_t slash = path.rfind('/');
  const UniqueFd parent(open(path.substr(0, slash + 1).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!parent.valid()) {
    return errno == ENOENT ? absl::OkStatus() : ErrnoStatus(errno, "remove " + path);
  }
  return Annotate(image::RemoveTree(parent.get(), path.substr(slash + 1)), path);
}

}  // namespace bulkhead::pods
