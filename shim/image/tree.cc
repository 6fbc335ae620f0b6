#include "shim/image/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"

namespace bulkhead::image {
namespace {

struct CloseDir {
  void operator()(DIR* dir) const { closedir(dir); }
};
using UniqueDir = std::unique_ptr<DIR, CloseDir>;

// Empties directories one at a time. A directory found inside is renamed to the top first, so
// that depth costs neither stack nor descriptors.
class TreeRemover {
 public:
  explicit TreeRemover(UniqueFd top) : top_(std::move(top)) {}

  absl::Status Run() {
    if (auto status = Empty("."); !status.ok()) return status;
    while (!hoisted_.empty()) {
      const std::string name = std::move(hoisted_.back());
      hoisted_.pop_back();
      if (auto status = Empty(name); !status.ok()) return status;
      if (unlinkat(top_.get(), name.c_str(), AT_REMOVEDIR) != 0) {
        return ErrnoStatus(errno, "rmdir");
      }
    }
    return absl::OkStatus();
  }

 private:
  absl::Status Empty(const std::string& name) {
    UniqueFd fd(openat(top_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd.valid()) return ErrnoStatus(errno, "open directory to remove");
    UniqueDir dir(fdopendir(fd.get()));
    if (!dir) return ErrnoStatus(errno, "fdopendir");
    const int dir_fd = fd.release();  // the DIR closes it
    const bool is_top = name == ".";
    errno = 0;
    while (const dirent* entry = readdir(dir.get())) {
      if (auto status = Remove(dir_fd, entry->d_name, is_top); !status.ok()) return status;
      errno = 0;
    }
    return errno == 0 ? absl::OkStatus() : ErrnoStatus(errno, "readdir");
  }

  absl::Status Remove(int dir, const std::string& name, bool is_top) {
    if (name == "." || name == "..") return absl::OkStatus();
    if (unlinkat(dir, name.c_str(), 0) == 0 || errno == ENOENT) return absl::OkStatus();
    // POSIX says EPERM for a directory, Linux EISDIR.
    if (errno != EISDIR) return ErrnoStatus(errno, "unlink");
    if (unlinkat(dir, name.c_str(), AT_REMOVEDIR) == 0) return absl::OkStatus();
    if (errno != ENOTEMPTY && errno != EEXIST) return ErrnoStatus(errno, "rmdir");
    if (is_top) {
      hoisted_.push_back(name);
      return absl::OkStatus();
    }
    return Hoist(dir, name);
  }

  absl::Status Hoist(int dir, const std::string& name) {
    while (true) {
      const std::string unused = absl::StrCat(".hoisted.", next_++);
      if (renameat2(dir, name.c_str(), top_.get(), unused.c_str(), RENAME_NOREPLACE) == 0) {
        hoisted_.push_back(unused);
        return absl::OkStatus();
      }
      if (errno != EEXIST) return ErrnoStatus(errno, "rename directory to remove");
    }
  }

  UniqueFd top_;
  std::vector<std::string> hoisted_;  // non-empty directories in top_, still to be removed
  uint64_t next_ = 0;
};

}  // namespace

absl::StatusOr<UniqueFd> OpenBeneath(int dir, const std::string& path, int flags) {
  open_how how = {};
  how.flags = static_cast<uint64_t>(flags) | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  const char* name = path.empty() ? "." : path.c_str();
  long fd;
  do {
    // EAGAIN: a rename elsewhere raced with the walk.
    fd = syscall(SYS_openat2, dir, name, &how, sizeof(how));
  } while (fd < 0 && (errno == EAGAIN || errno == EINTR));
  if (fd < 0) return ErrnoStatus(errno, "open");
  return UniqueFd(static_cast<int>(fd));
}

absl::Status RemoveTree(int dir, const std::string& name) {
  if (unlinkat(dir, name.c_str(), 0) == 0 || errno == ENOENT) return absl::OkStatus();
  if (errno != EISDIR) return ErrnoStatus(errno, "remove " + name);
  UniqueFd top(openat(dir, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!top.valid()) return ErrnoStatus(errno, "remove " + name);
  if (auto status = TreeRemover(std::move(top)).Run(); !status.ok()) {
    return Annotate(status, "remove " + name);
  }
  if (unlinkat(dir, name.c_str(), AT_REMOVEDIR) == 0) return absl::OkStatus();
  return ErrnoStatus(errno, "remove " + name);
}

}  // namespace bulkhead::image
