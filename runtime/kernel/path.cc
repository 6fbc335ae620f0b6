#include "runtime/kernel/path.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <deque>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "runtime/kernel/status.h"

namespace bulkhead {
namespace {

constexpr int kMaxLinks = 40;  // As the kernel: path_resolution(7).

// Resolves one component after the other below a root, making what is missing.
class Walk {
 public:
  Walk(int root, const std::string& path, PathKind kind) : root_(root), path_(path), kind_(kind) {
    for (std::string& part : SplitPath(path)) todo_.push_back(std::move(part));
  }

  absl::StatusOr<UniqueFd> Run() {
    while (!todo_.empty()) {
      const std::string part = std::move(todo_.front());
      todo_.pop_front();
      if (part == "..") {
        if (!done_.empty()) done_.pop_back();
        continue;
      }
      if (absl::Status status = Enter(part); !status.ok()) return status;
    }
    return OpenDone();
  }

 private:
  // Opens what was walked so far; it held no link when it was walked, and must not now.
  absl::StatusOr<UniqueFd> OpenDone() const {
    const std::string path = done_.empty() ? "." : absl::StrJoin(done_, "/");
    return Open(path, O_PATH);
  }

  absl::StatusOr<UniqueFd> Open(const std::string& path, uint64_t flags) const {
    const int fd =
        Openat2(root_, path.c_str(), flags | O_CLOEXEC, 0,
                RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS |
                    ((flags & O_NOFOLLOW) != 0 ? uint64_t{0} : uint64_t{RESOLVE_NO_SYMLINKS}));
    if (fd < 0) return ErrnoStatus(-fd, absl::StrCat(path_, ": open ", path));
    return UniqueFd(fd);
  }

  absl::Status Enter(const std::string& part) {
    absl::StatusOr<UniqueFd> parent = OpenDone();
    if (!parent.ok()) return parent.status();
    UniqueFd entry(openat(parent->get(), part.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!entry.valid() && errno == ENOENT) return Make(parent->get(), part);
    if (!entry.valid()) return ErrnoStatus(errno, absl::StrCat(path_, ": open ", part));
    struct stat st;
    if (fstat(entry.get(), &st) != 0) return ErrnoStatus(errno, absl::StrCat(path_, ": stat"));
    if (S_ISLNK(st.st_mode)) return FollowLink(entry.get());
    if (!S_ISDIR(st.st_mode) && !todo_.empty()) {
      return ErrnoStatus(ENOTDIR, absl::StrCat(path_, ": ", part));
    }
    done_.push_back(part);
    return absl::OkStatus();
  }

  absl::Status Make(int parent, const std::string& part) {
    if (!todo_.empty() || kind_ == PathKind::kDirectory) {
      if (mkdirat(parent, part.c_str(), 0755) != 0 && errno != EEXIST) {
        return ErrnoStatus(errno, absl::StrCat(path_, ": mkdir ", part));
      }
    } else {
      UniqueFd file(
          openat(parent, part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
      if (!file.valid()) return ErrnoStatus(errno, absl::StrCat(path_, ": create ", part));
    }
    done_.push_back(part);
    return absl::OkStatus();
  }

  absl::Status FollowLink(int link) {
    if (++links_ > kMaxLinks) return ErrnoStatus(ELOOP, path_);
    std::string target(PATH_MAX, '\0');
    const ssize_t length = readlinkat(link, "", target.data(), target.size());
    if (length < 0) return ErrnoStatus(errno, absl::StrCat(path_, ": readlink"));
    target.resize(length);
    if (target.starts_with('/')) done_.clear();
    const std::vector<std::string> parts = SplitPath(target);
    todo_.insert(todo_.begin(), parts.begin(), parts.end());
    return absl::OkStatus();
  }

  const int root_;
  const std::string& path_;
  const PathKind kind_;
  int links_ = 0;
  std::deque<std::string> todo_;
  std::vector<std::string> done_;
};

}  // namespace

int Openat2(int directory, const char* path, uint64_t flags, mode_t mode, uint64_t resolve) {
  open_how how = {};
  how.flags = flags;
  how.mode = mode;
  how.resolve = resolve;
  // EAGAIN: a rename or mount raced with ".."; the kernel asks to try again.
  for (int attempt = 0; attempt < 128; ++attempt) {
    const long fd = syscall(SYS_openat2, directory, path, &how, sizeof(how));
    if (fd >= 0) return static_cast<int>(fd);
    if (errno != EAGAIN && errno != EINTR) return -errno;
  }
  return -EAGAIN;
}

int OpenInRoot(int root, const char* path, uint64_t flags, mode_t mode) {
  return Openat2(root, path, flags | O_CLOEXEC, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
}

absl::StatusOr<UniqueFd> MakeInRoot(int root, const std::string& path, PathKind kind) {
  return Walk(root, path, kind).Run();
}

absl::StatusOr<ParentAndName> MakeParentInRoot(int root, const std::string& path) {
  std::vector<std::string> parts = SplitPath(path);
  if (parts.empty() || parts.back() == "..") {
    return absl::InvalidArgumentError(absl::StrCat(path, ": no name at the end of the path"));
  }
  std::string name = std::move(parts.back());
  parts.pop_back();
  absl::StatusOr<UniqueFd> parent =
      MakeInRoot(root, absl::StrJoin(parts, "/"), PathKind::kDirectory);
  if (!parent.ok()) return Annotate(parent.status(), path);
  return ParentAndName{*std::move(parent), std::move(name)};
}

std::vector<std::string> SplitPath(const std::string& path) {
  std::vector<std::string> parts;
  for (absl::string_view part : absl::StrSplit(path, '/', absl::SkipEmpty())) {
    if (part != ".") parts.emplace_back(part);
  }
  return parts;
}

std::string CleanPath(const std::string& path) {
  return absl::StrCat("/", absl::StrJoin(SplitPath(path), "/"));
}

bool IsAtOrBelow(std::string_view path, std::string_view parent) {
  return parent == "/" || path == parent ||
         (path.size() > parent.size() && path.starts_with(parent) && path[parent.size()] == '/');
}

}  // namespace bulkhead
