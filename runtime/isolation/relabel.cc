#include "runtime/isolation/relabel.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <tuple>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "runtime/isolation/selinux.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/path.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

// A path to what a descriptor refers to, also one that only names it (O_PATH).
std::string PathOf(int fd) { return absl::StrCat("/proc/self/fd/", fd); }

// What `name` in a directory is, without following it; not valid where it is gone, or mounted
// there.
absl::StatusOr<UniqueFd> OpenEntry(int directory, const char* name) {
  const int entry = Openat2(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0,
                            RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS);
  if (entry >= 0) return UniqueFd(entry);
  if (entry == -ENOENT || entry == -EXDEV) return UniqueFd();
  return ErrnoStatus(-entry, name);
}

class Relabelling {
 public:
  Relabelling(const std::string& label, const RelabelOptions& options)
      : label_(label), options_(options) {}

  absl::Status Run(int fd) {
    absl::Status status = Begin(fd);
    while (status.ok() && !levels_.empty()) status = Next();
    return status;
  }

 private:
  // A directory on the way, as far as it was read.
  using Level = std::unique_ptr<DIR, int (*)(DIR*)>;

  // Labels it, or makes a directory a level of its own.
  absl::Status Begin(int fd) {
    if (options_.stopped && options_.stopped()) return absl::CancelledError("stopped meanwhile");
    struct stat st;
    if (fstat(fd, &st) != 0) return ErrnoStatus(errno, "stat");
    if (options_.spared != nullptr && options_.spared->Hold(st)) {
      return absl::InvalidArgumentError("it is the host's own");
    }
    return S_ISDIR(st.st_mode) ? Enter(fd) : SetLabel(fd, label_);
  }

  absl::Status Enter(int fd) {
    if (levels_.size() >= options_.max_depth) {
      return absl::InvalidArgumentError(
          absl::StrCat("directories are nested more than ", options_.max_depth, " deep"));
    }
    UniqueFd directory(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory.valid()) return ErrnoStatus(errno, "open it");
    DIR* const stream = fdopendir(directory.get());
    if (stream == nullptr) return ErrnoStatus(errno, "read it");
    std::ignore = directory.release();
    levels_.emplace_back(stream, closedir);
    return absl::OkStatus();
  }

  // Does the next entry of the innermost level, or after the last one the level itself.
  absl::Status Next() {
    DIR* const level = levels_.back().get();
    errno = 0;
    const dirent* entry = readdir(level);
    if (entry == nullptr && errno != 0) return ErrnoStatus(errno, "read a directory");
    if (entry == nullptr) {
      absl::Status done = SetLabel(dirfd(level), label_);
      levels_.pop_back();
      return done;
    }
    const std::string name = entry->d_name;
    if (name == "." || name == "..") return absl::OkStatus();
    const absl::StatusOr<UniqueFd> opened = OpenEntry(dirfd(level), name.c_str());
    if (!opened.ok()) return opened.status();
    return opened->valid() ? Annotate(Begin(opened->get()), name) : absl::OkStatus();
  }

  const std::string& label_;
  const RelabelOptions& options_;
  std::vector<Level> levels_;
};

}  // namespace

absl::Status RelabelTree(int fd, const std::string& label, const RelabelOptions& options) {
  const absl::Status status = Relabelling(label, options).Run(fd);
  // What is true of one file is true of all: they are of one file system.
  return ErrnoOf(status) == EOPNOTSUPP ? absl::OkStatus() : status;
}

absl::Status SetLabel(int fd, const std::string& label) {
  if (ReadLabel(fd) == label) return absl::OkStatus();
  if (setxattr(PathOf(fd).c_str(), kSelinuxAttribute, label.c_str(), label.size() + 1, 0) == 0) {
    return absl::OkStatus();
  }
  return ErrnoStatus(errno, absl::StrCat("label it ", label));
}

std::string ReadLabel(int fd) {
  std::array<char, 4096> now;
  const ssize_t size = getxattr(PathOf(fd).c_str(), kSelinuxAttribute, now.data(), now.size());
  return size <= 0 ? "" : std::string(now.data(), strnlen(now.data(), size));
}

}  // namespace bulkhead::isolation
