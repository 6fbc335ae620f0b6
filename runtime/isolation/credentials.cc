#include "runtime/isolation/credentials.h"

#include <linux/capability.h>
#include <linux/keyctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace bulkhead::isolation {
namespace {

constexpr int kMaxCapability = 63;

bool Has(uint64_t set, int capability) { return (set >> capability & 1) != 0; }

// The kernel's two 32-bit halves.
void Fill(const plan::CredentialsPlan& plan, __user_cap_data_struct (&data)[2]) {
  for (int half = 0; half < 2; ++half) {
    data[half].effective = static_cast<uint32_t>(plan.effective() >> (32 * half));
    data[half].permitted = static_cast<uint32_t>(plan.permitted() >> (32 * half));
    data[half].inheritable = static_cast<uint32_t>(plan.inheritable() >> (32 * half));
  }
}

}  // namespace

Outcome DropBoundingSetInside(uint64_t kept) {
  for (int capability = 0; capability <= kMaxCapability; ++capability) {
    const int held = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
    // The kernel's last one may be later than the headers', never earlier.
    if (held < 0 && errno == EINVAL && capability > CAP_LAST_CAP) break;
    if (held < 0) return FromResult(-1);
    if (held == 0 || Has(kept, capability)) continue;
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) return FromResult(-1);
  }
  return {};
}

Outcome SetIdsInside(const plan::CredentialsPlan& plan) {
  if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return FromResult(-1, "keep capabilities");
  // Not libc's functions: those signal all threads it knows, and the child has none of them.
  if (syscall(SYS_setgroups, plan.groups_size(), plan.groups().data()) != 0) {
    return FromResult(-1, "setgroups");
  }
  if (syscall(SYS_setresgid, plan.gid(), plan.gid(), plan.gid()) != 0) {
    return FromResult(-1, "setresgid");
  }
  if (syscall(SYS_setresuid, plan.uid(), plan.uid(), plan.uid()) != 0) {
    return FromResult(-1, "setresuid");
  }
  // Another user's process becomes what fs.suid_dumpable says, and this one still has the
  // supervisor's memory while it waits for its release (proc_sys_fs(5)).
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return FromResult(-1, "dumpable");
  return FromResult(prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0), "keep capabilities");
}

Outcome SetCapabilitiesInside(const plan::CredentialsPlan& plan) {
  // Cleared while it is still allowed to: an ambient capability must be inheritable.
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0) {
    return FromResult(-1, "ambient");
  }
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[2] = {};
  Fill(plan, data);
  if (syscall(SYS_capset, &header, data) != 0) return FromResult(-1, "capset");
  for (int capability = 0; capability <= kMaxCapability; ++capability) {
    if (!Has(plan.ambient(), capability)) continue;
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) != 0) {
      return FromResult(-1, "ambient");
    }
  }
  return {};
}

Outcome SetNoNewPrivilegesInside(const plan::CredentialsPlan& plan) {
  if (!plan.no_new_privileges()) return {};
  return FromResult(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

Outcome NewSessionKeyringInside() {
  const long result = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr);
  // ENOSYS: a kernel without keys has none to leak.
  if (result < 0 && errno == ENOSYS) return {};
  return FromResult(result);
}

}  // namespace bulkhead::isolation
