#include "runtime/isolation/relabel.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/isolation/selinux.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/path.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

// A directory is a descriptor while those below it are done, and a container makes what depth it
// likes.
constexpr size_t kMaxDepth = 256;

constexpr std::string_view kOfTheHost[] = {
    "/",           "/bin",  "/boot",    "/dev",     "/etc",     "/etc/passwd", "/etc/pki",
    "/etc/shadow", "/home", "/lib",     "/lib64",   "/media",   "/mnt",        "/opt",
    "/proc",       "/root", "/run",     "/sbin",    "/srv",     "/sys",        "/tmp",
    "/usr",        "/var",  "/var/lib", "/var/log", "/var/run", "/var/tmp"};

// A path to what a descriptor refers to, also one that only names it (O_PATH).
std::string PathOf(int fd) { return absl::StrCat("/proc/self/fd/", fd); }

absl::Status SetLabel(int fd, const std::string& label) {
  const std::string path = PathOf(fd);
  std::array<char, 4096> before;
  const ssize_t size = getxattr(path.c_str(), kSelinuxAttribute, before.data(), before.size());
  if (size > 0 && label == std::string_view(before.data(), strnlen(before.data(), size))) {
    return absl::OkStatus();
  }
  if (setxattr(path.c_str(), kSelinuxAttribute, label.c_str(), label.size() + 1, 0) == 0 ||
      errno == EOPNOTSUPP) {
    return absl::OkStatus();
  }
  return ErrnoStatus(errno, absl::StrCat("label it ", label));
}

// What `name` in a directory is, without following it; not valid where it is gone, or mounted
// there.
absl::StatusOr<UniqueFd> OpenEntry(int directory, const char* name) {
  const int entry = Openat2(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0,
                            RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);
  if (entry >= 0) return UniqueFd(entry);
  if (entry == -ENOENT || entry == -EXDEV) return UniqueFd();
  return ErrnoStatus(-entry, name);
}

// A directory on the way, with the names in it that are still to be done.
struct Level {
  UniqueFd directory;
  std::vector<std::string> names;
};

absl::StatusOr<Level> ReadLevel(UniqueFd directory) {
  const int readable = openat(directory.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (readable < 0) return ErrnoStatus(errno, "open a directory");
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(fdopendir(readable), closedir);
  if (stream == nullptr) {
    const int error = errno;
    close(readable);
    return ErrnoStatus(error, "read a directory");
  }
  Level level{.directory = std::move(directory)};
  while (true) {
    errno = 0;
    const dirent* entry = readdir(stream.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") level.names.emplace_back(name);
  }
  if (errno != 0) return ErrnoStatus(errno, "read a directory");
  return level;
}

absl::StatusOr<bool> IsDirectory(int fd) {
  struct stat st;
  if (fstat(fd, &st) != 0) return ErrnoStatus(errno, "stat");
  return S_ISDIR(st.st_mode);
}

// Does the next entry of the innermost level; a directory becomes a level of its own.
absl::Status NextEntry(std::vector<Level>& levels, const std::string& label) {
  const std::string name = std::move(levels.back().names.back());
  levels.back().names.pop_back();
  absl::StatusOr<UniqueFd> entry = OpenEntry(levels.back().directory.get(), name.c_str());
  if (!entry.ok()) return entry.status();
  if (!entry->valid()) return absl::OkStatus();
  const absl::StatusOr<bool> directory = IsDirectory(entry->get());
  if (!directory.ok()) return directory.status();
  if (!*directory) return Annotate(SetLabel(entry->get(), label), name);
  if (levels.size() == kMaxDepth) {
    return absl::InvalidArgumentError(
        absl::StrCat("directories are nested more than ", kMaxDepth, " deep"));
  }
  absl::StatusOr<Level> level = ReadLevel(*std::move(entry));
  if (!level.ok()) return Annotate(level.status(), name);
  levels.push_back(*std::move(level));
  return absl::OkStatus();
}

absl::Status CheckRoot(int fd) {
  std::array<char, PATH_MAX> path;
  const ssize_t size = readlink(PathOf(fd).c_str(), path.data(), path.size());
  if (size < 0) return ErrnoStatus(errno, "find its path");
  const std::string_view found(path.data(), size);
  if (!IsOfTheHost(found)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(std::string(found), " is the host's own"));
}

}  // namespace

bool IsOfTheHost(std::string_view path) {
  return std::find(std::begin(kOfTheHost), std::end(kOfTheHost), path) != std::end(kOfTheHost);
}

absl::Status RelabelTree(int fd, const std::string& label) {
  if (absl::Status status = CheckRoot(fd); !status.ok()) return status;
  const absl::StatusOr<bool> directory = IsDirectory(fd);
  if (!directory.ok()) return directory.status();
  if (!*directory) return SetLabel(fd, label);
  UniqueFd root(fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!root.valid()) return ErrnoStatus(errno, "duplicate a descriptor");
  absl::StatusOr<Level> level = ReadLevel(std::move(root));
  if (!level.ok()) return level.status();
  std::vector<Level> levels;
  levels.push_back(*std::move(level));
  while (!levels.empty()) {
    const bool done = levels.back().names.empty();
    const absl::Status status =
        done ? SetLabel(levels.back().directory.get(), label) : NextEntry(levels, label);
    if (!status.ok()) return status;
    if (done) levels.pop_back();
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::isolation
