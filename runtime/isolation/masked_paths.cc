#include "runtime/isolation/masked_paths.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

#include "runtime/isolation/mounts_inside.h"
#include "runtime/kernel/path.h"

namespace bulkhead::isolation {
namespace {

// The container's null device, or -errno.
int OpenNullDevice() {
  const int fd = OpenInRoot(AT_FDCWD, "/dev/null", O_PATH | O_NOFOLLOW);
  if (fd < 0) return fd;
  struct stat st;
  if (fstat(fd, &st) != 0) return -errno;
  if (!S_ISCHR(st.st_mode) || st.st_rdev != makedev(1, 3)) return -ENODEV;
  return fd;
}

bool IsAbsent(int error) { return error == ENOENT || error == ENOTDIR; }

Outcome MaskDirectory(int place, const char* label, const char* path) {
  const int tmpfs = NewFilesystemInside(
      "tmpfs", label, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  if (tmpfs < 0) return {.error = -tmpfs, .subject = path};
  const Outcome outcome = AttachInside(tmpfs, place, path);
  close(tmpfs);
  return outcome;
}

Outcome MaskFile(int null_device, int place, const char* path) {
  const int tree = open_tree(null_device, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
  if (tree < 0) return FromResult(-1, path);
  const Outcome outcome = AttachInside(tree, place, path);
  close(tree);
  return outcome;
}

Outcome MaskPath(int null_device, const char* label, const char* path) {
  const int place = OpenInRoot(AT_FDCWD, path, O_PATH);
  if (place < 0) return {.error = IsAbsent(-place) ? 0 : -place, .subject = path};
  struct stat st;
  if (fstat(place, &st) != 0) return FromResult(-1, path);
  const Outcome outcome =
      S_ISDIR(st.st_mode) ? MaskDirectory(place, label, path) : MaskFile(null_device, place, path);
  close(place);
  return outcome;
}

Outcome ReadOnlyPath(const char* path) {
  const int place = OpenInRoot(AT_FDCWD, path, O_PATH);
  if (place < 0) return {.error = IsAbsent(-place) ? 0 : -place, .subject = path};
  const int tree =
      open_tree(place, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
  if (tree < 0) return FromResult(-1, path);
  mount_attr attributes = {};
  attributes.attr_set = MOUNT_ATTR_RDONLY;
  if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof(attributes)) != 0) {
    return FromResult(-1, path);
  }
  const Outcome outcome = AttachInside(tree, place, path);
  close(tree);
  close(place);
  return outcome;
}

}  // namespace

Outcome MaskPathsInside(const std::vector<const char*>& paths, const char* label) {
  if (paths.empty()) return {};
  const int null_device = OpenNullDevice();
  if (null_device < 0) return {.error = -null_device, .subject = "/dev/null"};
  for (const char* path : paths) {
    if (Outcome outcome = MaskPath(null_device, label, path); !outcome.ok()) return outcome;
  }
  close(null_device);
  return {};
}

Outcome ReadOnlyPathsInside(const std::vector<const char*>& paths) {
  for (const char* path : paths) {
    if (Outcome outcome = ReadOnlyPath(path); !outcome.ok()) return outcome;
  }
  return {};
}

}  // namespace bulkhead::isolation
