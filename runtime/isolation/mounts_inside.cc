#include "runtime/isolation/mounts_inside.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>

namespace bulkhead::isolation {

int NewFilesystemInside(const char* type, const char* label, uint64_t attributes) {
  const int context = fsopen(type, FSOPEN_CLOEXEC);
  if (context < 0) return -errno;
  int mount = -1;
  const bool labelled =
      label[0] == '\0' || fsconfig(context, FSCONFIG_SET_STRING, "context", label, 0) == 0;
  if (labelled && fsconfig(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0) {
    mount = fsmount(context, FSMOUNT_CLOEXEC, attributes);
  }
  const int error = errno;
  close(context);
  return mount < 0 ? -error : mount;
}

Outcome AttachInside(int mount, int place, const char* subject) {
  return FromResult(
      move_mount(mount, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH), subject);
}

Outcome JoinPeerGroupInside(int peer, int place, const char* subject) {
  constexpr unsigned kFlags =
      MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH | MOVE_MOUNT_SET_GROUP;
  return FromResult(move_mount(peer, "", place, "", kFlags), subject);
}

}  // namespace bulkhead::isolation
