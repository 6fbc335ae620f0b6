#include "runtime/isolation/terminal.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "runtime/kernel/path.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

absl::Status VerifyPtmx(int fd) {
  struct stat st;
  struct statfs fs;
  if (fstat(fd, &st) != 0 || fstatfs(fd, &fs) != 0) {
    return ErrnoStatus(errno, "look at /dev/pts/ptmx");
  }
  if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(5, 2) && fs.f_type == DEVPTS_SUPER_MAGIC) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError("/dev/pts/ptmx is no terminal multiplexer");
}

}  // namespace

absl::StatusOr<Terminal> OpenTerminal(int root) {
  // Looked at before it is opened for good: opening a device or a FIFO can have effects.
  const int found = OpenInRoot(root, "/dev/pts/ptmx", O_PATH | O_NOFOLLOW);
  if (found < 0) return ErrnoStatus(-found, "open /dev/pts/ptmx");
  const UniqueFd place(found);
  if (absl::Status status = VerifyPtmx(place.get()); !status.ok()) return status;
  const int opened = OpenInRoot(root, "/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);
  if (opened < 0) return ErrnoStatus(-opened, "open /dev/pts/ptmx");
  Terminal terminal{.master = UniqueFd(opened)};
  if (absl::Status status = VerifyPtmx(terminal.master.get()); !status.ok()) return status;
  const int unlocked = 0;
  if (ioctl(terminal.master.get(), TIOCSPTLCK, &unlocked) != 0) {
    return ErrnoStatus(errno, "unlock the terminal");
  }
  terminal.slave.reset(ioctl(terminal.master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!terminal.slave.valid()) return ErrnoStatus(errno, "open the terminal's other end");
  return terminal;
}

Outcome EnterSessionInside(int terminal) {
  if (setsid() < 0) return FromResult(-1, "setsid");
  if (terminal < 0) return {};
  return FromResult(ioctl(terminal, TIOCSCTTY, 0), "TIOCSCTTY");
}

Outcome MountConsoleInside(const StreamSlice& slice) {
  if (!slice.console || slice.terminal < 0) return {};
  static constexpr char kConsole[] = "/dev/console";
  const int dev = OpenInRoot(AT_FDCWD, "/dev", O_PATH | O_DIRECTORY | O_NOFOLLOW);
  if (dev < 0) return {.error = -dev, .subject = kConsole};
  const int made = openat(dev, "console", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (made < 0 && errno != EEXIST) return FromResult(-1, kConsole);
  const int place = openat(dev, "console", O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (place < 0) return FromResult(-1, kConsole);
  struct stat st;
  if (fstat(place, &st) != 0) return FromResult(-1, kConsole);
  if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode)) return {.error = ELOOP, .subject = kConsole};
  const int tree =
      open_tree(slice.terminal, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
  if (tree < 0) return FromResult(-1, kConsole);
  return FromResult(
      move_mount(tree, "", place, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH), kConsole);
}

Outcome SetStreamsInside(const StreamSlice& slice) {
  // Copies above 2 first: a stream may itself be 0, 1 or 2.
  int copies[3];
  for (int i = 0; i < 3; ++i) {
    const int source = slice.terminal >= 0 ? slice.terminal : slice.streams[i];
    copies[i] = fcntl(source, F_DUPFD, 3);
    if (copies[i] < 0) return FromResult(-1, "standard streams");
  }
  for (int i = 0; i < 3; ++i) {
    if (dup2(copies[i], i) < 0) return FromResult(-1, "standard streams");
    struct stat st;
    if (fstat(i, &st) != 0) return FromResult(-1, "standard streams");
    const bool ours = S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || slice.terminal >= 0;
    if (ours && st.st_uid != slice.owner && fchown(i, slice.owner, -1) != 0) {
      return FromResult(-1, "standard streams");
    }
  }
  return {};
}

}  // namespace bulkhead::isolation
