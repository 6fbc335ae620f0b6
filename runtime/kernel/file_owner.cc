#include "runtime/kernel/file_owner.h"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "runtime/kernel/astray.h"
#include "runtime/kernel/status.h"

namespace bulkhead {
namespace {

// The calls tell no error: asked for an id that is none they change nothing and return the one that
// is in effect.
uid_t CurrentUid() { return static_cast<uid_t>(syscall(SYS_setfsuid, -1)); }
gid_t CurrentGid() { return static_cast<gid_t>(syscall(SYS_setfsgid, -1)); }

}  // namespace

absl::Status FileOwner::Set(uid_t uid, gid_t gid) const {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  syscall(SYS_setfsgid, gid);
  syscall(SYS_setfsuid, uid);
  if (CurrentUid() != uid || CurrentGid() != gid) return ErrnoStatus(EPERM, "setfsuid");
  // Leaving user 0 took those about files away (capabilities(7)).
  if (syscall(SYS_capset, &header, held_.data()) != 0) return ErrnoStatus(errno, "capset");
  // Other credentials may have made the process dumpable (fs.suid_dumpable).
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return ErrnoStatus(errno, "PR_SET_DUMPABLE");
  return absl::OkStatus();
}

absl::StatusOr<FileOwner> FileOwner::Become(uid_t uid, gid_t gid) {
  FileOwner before(CurrentUid(), CurrentGid());
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  if (syscall(SYS_capget, &header, before.held_.data()) != 0) return ErrnoStatus(errno, "capget");
  if (absl::Status status = before.Set(uid, gid); !status.ok()) {
    const absl::Status restored = before.Restore();
    return restored.ok() ? status : restored;
  }
  return before;
}

absl::Status FileOwner::Restore() {
  const absl::Status status = Set(uid_, gid_);
  if (status.ok()) return status;
  return Astray(Annotate(status, "act as the superuser again"));
}

}  // namespace bulkhead
