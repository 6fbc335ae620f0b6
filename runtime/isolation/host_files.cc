#include "runtime/isolation/host_files.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

constexpr const char* kTrees[] = {"/bin",   "/boot",   "/dev",  "/etc",  "/lib", "/lib32",
                                  "/lib64", "/libx32", "/proc", "/sbin", "/sys", "/usr"};
constexpr const char* kPlaces[] = {"/",        "/home",    "/media",   "/mnt",    "/opt",
                                   "/root",    "/run",     "/srv",     "/tmp",    "/var",
                                   "/var/lib", "/var/log", "/var/tmp", "/var/run"};

}  // namespace

HostFiles::HostFiles(const std::vector<std::string>& own) {
  struct stat st;
  for (const char* path : kTrees) {
    if (stat(path, &st) == 0) trees_.emplace(st.st_dev, st.st_ino);
  }
  for (const std::string& path : own) {
    if (stat(path.c_str(), &st) == 0) trees_.emplace(st.st_dev, st.st_ino);
  }
  for (const char* path : kPlaces) {
    if (stat(path, &st) == 0) places_.emplace(st.st_dev, st.st_ino);
  }
}

bool HostFiles::Hold(const struct stat& st) const {
  const Identity identity(st.st_dev, st.st_ino);
  return trees_.contains(identity) || places_.contains(identity);
}

absl::Status HostFiles::CheckNotOf(int fd) const {
  struct stat st;
  if (fstat(fd, &st) != 0) return ErrnoStatus(errno, "stat");
  std::array<char, PATH_MAX> target;
  const ssize_t size =
      readlink(absl::StrCat("/proc/self/fd/", fd).c_str(), target.data(), target.size());
  if (size < 0) return ErrnoStatus(errno, "find its path");
  const std::string path(target.data(), size);
  if (Hold(st)) return absl::InvalidArgumentError(absl::StrCat(path, " is the host's own"));
  // The directories above, of which the path has no links.
  for (size_t end = path.rfind('/'); end != 0 && end != std::string::npos;
       end = path.rfind('/', end - 1)) {
    const std::string above = path.substr(0, end);
    if (stat(above.c_str(), &st) != 0) return ErrnoStatus(errno, above);
    if (!trees_.contains({st.st_dev, st.st_ino})) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(path, " lies in ", above, ", which is the host's own"));
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::isolation
