#include "runtime/kernel/mount.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"

namespace bulkhead {
namespace {

// What the kernel said about a file system context: lines such as "e overlay: ...".
std::string ContextLog(int context) {
  std::string log;
  char line[512];
  ssize_t n;
  while ((n = read(context, line, sizeof(line))) > 0) {
    absl::StrAppend(&log, " (", absl::string_view(line, n), ")");
  }
  return log;
}

absl::Status Configure(int context, const std::string& type, const FilesystemOptions& options) {
  for (const auto& [key, value] : options) {
    const int result = value.empty()
                           ? fsconfig(context, FSCONFIG_SET_FLAG, key.c_str(), nullptr, 0)
                           : fsconfig(context, FSCONFIG_SET_STRING, key.c_str(), value.c_str(), 0);
    if (result != 0) {
      const int error = errno;
      return ErrnoStatus(
          error, absl::StrCat("mount ", type, ": option ", key, "=", value, ContextLog(context)));
    }
  }
  if (fsconfig(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    const int error = errno;
    return ErrnoStatus(error, absl::StrCat("mount ", type, ContextLog(context)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<UniqueFd> CloneTree(int directory, const std::string& path, TreeDepth depth) {
  unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
  if (path.empty()) flags |= AT_EMPTY_PATH;
  if (depth == TreeDepth::kRecursive) flags |= AT_RECURSIVE;
  UniqueFd tree(open_tree(directory, path.c_str(), flags));
  if (!tree.valid()) return ErrnoStatus(errno, absl::StrCat("open_tree ", path));
  return tree;
}

FilesystemOptions Labelled(FilesystemOptions options, const std::string& label) {
  if (!label.empty()) options.emplace_back("context", label);
  return options;
}

absl::StatusOr<UniqueFd> NewFilesystem(const std::string& type, const FilesystemOptions& options,
                                       uint64_t attributes) {
  UniqueFd context(fsopen(type.c_str(), FSOPEN_CLOEXEC));
  if (!context.valid()) return ErrnoStatus(errno, absl::StrCat("mount ", type));
  if (absl::Status status = Configure(context.get(), type, options); !status.ok()) return status;
  UniqueFd mount(fsmount(context.get(), FSMOUNT_CLOEXEC, attributes));
  if (!mount.valid()) {
    const int error = errno;
    return ErrnoStatus(error, absl::StrCat("mount ", type, ContextLog(context.get())));
  }
  return mount;
}

absl::Status ChangeMount(int mount, const MountChange& change, TreeDepth depth) {
  mount_attr attributes = {};
  attributes.attr_set = change.set;
  attributes.attr_clr = change.clear;
  // The kernel takes an access time policy only together with clearing all of them.
  if ((change.set & MOUNT_ATTR__ATIME) != 0) attributes.attr_clr |= MOUNT_ATTR__ATIME;
  attributes.propagation = change.propagation;
  if (change.user_namespace >= 0) attributes.userns_fd = change.user_namespace;
  const unsigned flags =
      AT_EMPTY_PATH | (depth == TreeDepth::kRecursive ? unsigned{AT_RECURSIVE} : 0);
  if (mount_setattr(mount, "", flags, &attributes, sizeof(attributes)) != 0) {
    return ErrnoStatus(errno, "mount_setattr");
  }
  return absl::OkStatus();
}

absl::Status AttachMount(int mount, int target) {
  if (move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0) {
    return ErrnoStatus(errno, "move_mount");
  }
  return absl::OkStatus();
}

absl::Status DetachMountAt(const std::string& path) {
  if (umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) != 0) {
    return ErrnoStatus(errno, absl::StrCat("umount ", path));
  }
  return absl::OkStatus();
}

absl::Status PivotInto(int root) {
  if (fchdir(root) != 0) return ErrnoStatus(errno, "fchdir to the new root");
  // The old root ends up on top of the new one: pivot_root(2), "pivot_root(".", ".")".
  if (syscall(SYS_pivot_root, ".", ".") != 0) return ErrnoStatus(errno, "pivot_root");
  if (umount2(".", MNT_DETACH) != 0) return ErrnoStatus(errno, "umount the old root");
  if (chdir("/") != 0) return ErrnoStatus(errno, "chdir /");
  return absl::OkStatus();
}

}  // namespace bulkhead
