#include "shim/image/layer_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "runtime/kernel/status.h"
#include "shim/image/tree.h"

namespace bulkhead::image {
namespace {

constexpr uint64_t kBlock = 4096;
constexpr int kOpenDir = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

uint64_t Blocks(uint64_t size) { return (size + kBlock - 1) / kBlock * kBlock; }

absl::Status Refuse(const std::string& why) { return absl::InvalidArgumentError(why); }

bool IsWhiteout(const struct stat& st) { return S_ISCHR(st.st_mode) && st.st_rdev == 0; }

// A failed system call on what the archive named: some errnos are the archive's fault.
absl::Status CallFailed(int error, const std::string& call) {
  switch (error) {
    case EXDEV:
      return Refuse("a symbolic link in it leads out of the layer");
    case ELOOP:
      return Refuse("too many symbolic links in it");
    case ENAMETOOLONG:
      return Refuse("the name is too long");
    case ENOTDIR:
      return Refuse("a part of its path is not a directory");
    default:
      return ErrnoStatus(error, call);
  }
}

absl::Status CheckOwner(const TarEntry& entry) {
  constexpr int64_t kMax = std::numeric_limits<uint32_t>::max() - 1;  // -1 means "leave it"
  if (entry.uid < 0 || entry.uid > kMax) return Refuse(absl::StrCat("user id ", entry.uid));
  if (entry.gid < 0 || entry.gid > kMax) return Refuse(absl::StrCat("group id ", entry.gid));
  return absl::OkStatus();
}

absl::Status SetXattrs(int fd, const TarEntry& entry) {
  for (const auto& [name, value] : entry.xattrs) {
    if (!KeepsXattr(name)) continue;
    if (fsetxattr(fd, name.c_str(), value.data(), value.size(), 0) != 0) {
      return ErrnoStatus(errno, absl::StrCat("set extended attribute ", absl::CHexEscape(name)));
    }
  }
  return absl::OkStatus();
}

// Owner before mode and attributes: chown(2) clears set-user-ID bits and file capabilities.
absl::Status SetMetadata(int fd, const TarEntry& entry) {
  if (fchown(fd, entry.uid, entry.gid) != 0) return ErrnoStatus(errno, "fchown");
  if (fchmod(fd, entry.permissions & 07777) != 0) return ErrnoStatus(errno, "fchmod");
  return SetXattrs(fd, entry);
}

absl::Status SetOpaque(int fd) {
  if (fsetxattr(fd, "trusted.overlay.opaque", "y", 1, 0) == 0) return absl::OkStatus();
  return ErrnoStatus(errno, "set trusted.overlay.opaque");
}

absl::Status WriteAt(int fd, TarBlock block) {
  while (!block.bytes.empty()) {
    const ssize_t written = pwrite(fd, block.bytes.data(), block.bytes.size(), block.offset);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus(errno, "write");
    block.bytes.remove_prefix(written);
    block.offset += written;
  }
  return absl::OkStatus();
}

absl::Status CopyContent(int fd, uint64_t size, TarReader& content) {
  uint64_t end = 0;
  while (true) {
    auto block = content.NextBlock();
    if (!block.ok()) return block.status();
    if (!*block) break;
    const uint64_t block_end = (*block)->offset + (*block)->bytes.size();
    if (block_end > size) return Refuse("its content is longer than its header says");
    if (auto status = WriteAt(fd, **block); !status.ok()) return status;
    end = std::max(end, block_end);
  }
  // A hole at the end.
  if (end < size && ftruncate(fd, static_cast<off_t>(size)) != 0) {
    return CallFailed(errno, "ftruncate");
  }
  return absl::OkStatus();
}

}  // namespace

LayerWriter::LayerWriter(UniqueFd root, UnpackLimits limits)
    : root_(std::move(root)), limits_(limits) {}

absl::Status LayerWriter::Add(const TarEntry& entry, TarReader& content) {
  const absl::Status status = AddAt(entry, content);
  if (status.ok()) return status;
  return Annotate(
      status, absl::StrCat("layer entry \"", absl::CHexEscape(entry.path.substr(0, 200)), "\""));
}

absl::Status LayerWriter::AddAt(const TarEntry& entry, TarReader& content) {
  if (auto status = Count(entry); !status.ok()) return status;
  auto path = ParseLayerPath(entry.path);
  if (!path.ok()) return path.status();
  const auto kind = ClassifyMember(*path);
  if (!kind.ok()) return kind.status();
  if (*kind == MemberKind::kAufsMetadata) return absl::OkStatus();
  if (path->base.empty()) return AddRoot(entry);
  if (auto status = EnterParent(path->parent); !status.ok()) return status;
  if (*kind == MemberKind::kOpaque) return SetOpaque(cached_.get());
  if (*kind == MemberKind::kWhiteout) return AddWhiteout(*path);
  return AddMember(*path, entry, content);
}

absl::Status LayerWriter::CountEntry() {
  if (++entries_ <= limits_.max_entries) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("the layer has more than ", limits_.max_entries, " entries"));
}

absl::Status LayerWriter::Count(const TarEntry& entry) {
  if (auto status = CountEntry(); !status.ok()) return status;
  if (entry.type != S_IFREG) return absl::OkStatus();
  if (entry.size > limits_.max_bytes - content_bytes_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the layer unpacks to more than ", limits_.max_bytes, " bytes"));
  }
  content_bytes_ += entry.size;
  return absl::OkStatus();
}

absl::Status LayerWriter::AddRoot(const TarEntry& entry) {
  if (entry.type != S_IFDIR) return Refuse("the root is not a directory");
  if (auto status = CheckOwner(entry); !status.ok()) return status;
  directory_times_[""] = entry.mtime;
  return SetMetadata(root_.get(), entry);
}

// A whiteout is about the layers below only: what this layer itself has of that name stays, and
// for a directory then means that it hides the one below.
absl::Status LayerWriter::AddWhiteout(const LayerPath& path) {
  struct stat st;
  if (fstatat(cached_.get(), path.base.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno != ENOENT) return CallFailed(errno, "fstatat");
    if (mknodat(cached_.get(), path.base.c_str(), S_IFCHR, 0) != 0) {
      return CallFailed(errno, "mknodat");
    }
    ++use_.inodes;
    return absl::OkStatus();
  }
  if (!S_ISDIR(st.st_mode)) return absl::OkStatus();
  UniqueFd dir(openat(cached_.get(), path.base.c_str(), kOpenDir));
  if (!dir.valid()) return ErrnoStatus(errno, "openat");
  return SetOpaque(dir.get());
}

absl::Status LayerWriter::AddMember(const LayerPath& path, const TarEntry& entry,
                                    TarReader& content) {
  if (entry.is_hard_link) return AddHardLink(path, entry);
  if (auto status = CheckOwner(entry); !status.ok()) return status;
  switch (entry.type) {
    case S_IFDIR:
      return AddDirectory(path, entry);
    case S_IFREG:
      return AddFile(path, entry, content);
    case S_IFLNK:
      return AddSymlink(path, entry);
    case S_IFCHR:
    case S_IFBLK:
    case S_IFIFO:
      return AddNode(path, entry);
    default:
      return Refuse(absl::StrCat("unknown file type ", entry.type));
  }
}

absl::Status LayerWriter::Clear(const std::string& base) {
  struct stat st;
  if (fstatat(cached_.get(), base.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT ? absl::OkStatus() : CallFailed(errno, "fstatat");
  }
  return RemoveTree(cached_.get(), base);
}

absl::Status LayerWriter::AddDirectory(const LayerPath& path, const TarEntry& entry) {
  struct stat st = {};
  const bool exists = fstatat(cached_.get(), path.base.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0;
  if (!exists && errno != ENOENT) return CallFailed(errno, "fstatat");
  if (!exists || !S_ISDIR(st.st_mode)) {
    if (auto status = Clear(path.base); !status.ok()) return status;
    if (mkdirat(cached_.get(), path.base.c_str(), 0700) != 0) return CallFailed(errno, "mkdirat");
    use_.bytes += kBlock;
    ++use_.inodes;
  }
  UniqueFd dir(openat(cached_.get(), path.base.c_str(), kOpenDir));
  if (!dir.valid()) return ErrnoStatus(errno, "openat");
  if (exists && IsWhiteout(st)) {
    if (auto status = SetOpaque(dir.get()); !status.ok()) return status;
  }
  directory_times_[path.str()] = entry.mtime;
  return SetMetadata(dir.get(), entry);
}

absl::Status LayerWriter::AddFile(const LayerPath& path, const TarEntry& entry,
                                  TarReader& content) {
  constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  UniqueFd file(openat(cached_.get(), path.base.c_str(), kFlags, 0600));
  if (!file.valid() && errno == EEXIST) {
    if (auto status = Clear(path.base); !status.ok()) return status;
    file.reset(openat(cached_.get(), path.base.c_str(), kFlags, 0600));
  }
  if (!file.valid()) return CallFailed(errno, "create");
  if (auto status = CopyContent(file.get(), entry.size, content); !status.ok()) return status;
  if (auto status = SetMetadata(file.get(), entry); !status.ok()) return status;
  const timespec times[] = {entry.mtime, entry.mtime};
  if (futimens(file.get(), times) != 0) return ErrnoStatus(errno, "futimens");
  use_.bytes += Blocks(entry.size);
  ++use_.inodes;
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> LayerWriter::OpenLinkTarget(const std::string& target) {
  const auto path = ParseLayerPath(target);
  if (!path.ok()) return Annotate(path.status(), "link target");
  auto parent = OpenBeneath(root_.get(), path->parent, O_PATH | O_DIRECTORY);
  if (!parent.ok()) return CallFailed(ErrnoOf(parent.status()), "open the parent of its target");
  UniqueFd file(openat(parent->get(), path->base.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
  struct stat st = {};
  const bool exists = file.valid() && fstat(file.get(), &st) == 0 && !IsWhiteout(st);
  if (!exists) return Refuse("it is a hard link to a file that the layer does not have");
  if (S_ISDIR(st.st_mode)) return Refuse("it is a hard link to a directory");
  return file;
}

absl::Status LayerWriter::AddHardLink(const LayerPath& path, const TarEntry& entry) {
  auto target = OpenLinkTarget(entry.link);
  if (!target.ok()) return target.status();
  struct stat old_file, new_file;
  if (fstat(target->get(), &new_file) != 0) return ErrnoStatus(errno, "fstat");
  if (fstatat(cached_.get(), path.base.c_str(), &old_file, AT_SYMLINK_NOFOLLOW) == 0) {
    if (old_file.st_ino == new_file.st_ino) return absl::OkStatus();
    if (auto status = Clear(path.base); !status.ok()) return status;
  }
  if (linkat(target->get(), "", cached_.get(), path.base.c_str(), AT_EMPTY_PATH) != 0) {
    return CallFailed(errno, "linkat");
  }
  return absl::OkStatus();
}

// What a symbolic link points to is the container's business: it is never followed out of the
// layer here, and in the container it leads to the container's own files.
absl::Status LayerWriter::AddSymlink(const LayerPath& path, const TarEntry& entry) {
  if (entry.link.empty()) return Refuse("it is a symbolic link to nothing");
  if (auto status = Clear(path.base); !status.ok()) return status;
  const int dir = cached_.get();
  const char* name = path.base.c_str();
  if (symlinkat(entry.link.c_str(), dir, name) != 0) return CallFailed(errno, "symlinkat");
  if (fchownat(dir, name, entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW) != 0) {
    return ErrnoStatus(errno, "fchownat");
  }
  const timespec times[] = {entry.mtime, entry.mtime};
  if (utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) != 0) return ErrnoStatus(errno, "utimensat");
  ++use_.inodes;
  return absl::OkStatus();
}

absl::Status LayerWriter::AddNode(const LayerPath& path, const TarEntry& entry) {
  if (auto status = Clear(path.base); !status.ok()) return status;
  const int dir = cached_.get();
  const char* name = path.base.c_str();
  if (mknodat(dir, name, entry.type | 0600, entry.device) != 0) return CallFailed(errno, "mknodat");
  if (fchownat(dir, name, entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW) != 0) {
    return ErrnoStatus(errno, "fchownat");
  }
  if (fchmodat(dir, name, entry.permissions & 07777, 0) != 0) return ErrnoStatus(errno, "fchmodat");
  const timespec times[] = {entry.mtime, entry.mtime};
  if (utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) != 0) return ErrnoStatus(errno, "utimensat");
  ++use_.inodes;
  return absl::OkStatus();
}

absl::Status LayerWriter::EnterParent(const std::string& parent) {
  if (cached_.valid() && cached_path_ == parent) {
    struct stat st;
    // The directory may have been replaced by a member since: then it has no links left.
    if (fstat(cached_.get(), &st) == 0 && st.st_nlink > 0) return absl::OkStatus();
  }
  auto dir = OpenBeneath(root_.get(), parent, O_RDONLY | O_DIRECTORY);
  if (!dir.ok()) dir = MakeParents(parent);
  if (!dir.ok()) return dir.status();
  cached_ = *std::move(dir);
  cached_path_ = parent;
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> LayerWriter::MakeParents(const std::string& parent) {
  auto dir = OpenBeneath(root_.get(), "", O_RDONLY | O_DIRECTORY);
  std::string path;
  const std::vector<std::string> names = absl::StrSplit(parent, '/');
  for (const std::string& name : names) {
    if (!dir.ok()) return dir.status();
    absl::StrAppend(&path, path.empty() ? "" : "/", name);
    dir = MakeParent(*dir, name, path);
  }
  return dir;
}

// One step on the way to a parent: the directory `name` in `above`, which is `path` from the root.
absl::StatusOr<UniqueFd> LayerWriter::MakeParent(const UniqueFd& above, const std::string& name,
                                                 const std::string& path) {
  UniqueFd plain(openat(above.get(), name.c_str(), kOpenDir));
  if (plain.valid()) return plain;
  struct stat st;
  if (fstatat(above.get(), name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
    return errno == ENOENT ? MakeImplied(above, name) : CallFailed(errno, "fstatat");
  }
  if (IsWhiteout(st)) {
    if (unlinkat(above.get(), name.c_str(), 0) != 0) return ErrnoStatus(errno, "unlinkat");
    auto made = MakeImplied(above, name);
    if (!made.ok()) return made;
    if (auto status = SetOpaque(made->get()); !status.ok()) return status;
    return made;
  }
  auto through_link = OpenBeneath(root_.get(), path, O_RDONLY | O_DIRECTORY);
  if (through_link.ok()) return through_link;
  const int error = ErrnoOf(through_link.status());
  return error == ENOENT ? Refuse("a symbolic link in its path leads nowhere")
                         : CallFailed(error, "open its parent directory");
}

absl::StatusOr<UniqueFd> LayerWriter::MakeImplied(const UniqueFd& above, const std::string& name) {
  if (auto status = CountEntry(); !status.ok()) return status;
  if (mkdirat(above.get(), name.c_str(), 0700) != 0) return CallFailed(errno, "mkdirat");
  use_.bytes += kBlock;
  ++use_.inodes;
  UniqueFd made(openat(above.get(), name.c_str(), kOpenDir));
  if (!made.valid()) return ErrnoStatus(errno, "openat");
  if (auto status = SetMetadata(made.get(), {.permissions = 0755}); !status.ok()) return status;
  return made;
}

absl::Status LayerWriter::Finish() {
  for (const auto& [path, mtime] : directory_times_) {
    auto dir = OpenBeneath(root_.get(), path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (!dir.ok()) continue;  // a later member replaced it
    const timespec times[] = {mtime, mtime};
    if (futimens(dir->get(), times) != 0) return ErrnoStatus(errno, "set a directory's times");
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::image
