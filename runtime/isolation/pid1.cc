#include "runtime/isolation/pid1.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <iterator>
#include <utility>

#include "runtime/isolation/credentials.h"
#include "runtime/isolation/lsm.h"
#include "runtime/isolation/namespaces.h"
#include "runtime/isolation/signals.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

// An empty, read-only tmpfs as root, in a mount namespace that holds nothing else.
Outcome EnterEmptyRoot(const char* label) {
  if (unshare(CLONE_NEWNS) != 0) return FromResult(-1, "unshare");
  const int context = fsopen("tmpfs", FSOPEN_CLOEXEC);
  if (context < 0) return FromResult(-1, "fsopen");
  fsconfig(context, FSCONFIG_SET_STRING, "size", "4k", 0);
  if (label[0] != '\0' && fsconfig(context, FSCONFIG_SET_STRING, "context", label, 0) != 0) {
    return FromResult(-1, "fsconfig context");
  }
  if (fsconfig(context, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) {
    return FromResult(-1, "fsconfig");
  }
  const int root =
      fsmount(context, FSMOUNT_CLOEXEC,
              MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
  if (root < 0) return FromResult(-1, "fsmount");
  if (move_mount(root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) != 0) {
    return FromResult(-1, "move_mount");
  }
  if (fchdir(root) != 0) return FromResult(-1, "fchdir");
  if (syscall(SYS_pivot_root, ".", ".") != 0) return FromResult(-1, "pivot_root");
  return FromResult(umount2(".", MNT_DETACH), "umount");
}

Outcome DropCapabilities() {
  if (Outcome outcome = DropBoundingSetInside(0); !outcome.ok()) return outcome;
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  const __user_cap_data_struct none[2] = {};
  if (syscall(SYS_capset, &header, none) != 0) return FromResult(-1, "capset");
  return FromResult(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
}

// All that it does from then on. A container with CAP_SYS_PTRACE may trace it, and must not make
// through it the calls that the container's own filter forbids.
Outcome AllowOnlyWaiting() {
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 5),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pause, 4, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 3, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {.len = std::size(filter), .filter = filter};
  return FromResult(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program), "seccomp");
}

struct Pid1Slice {
  const CgroupFds& cgroup;
  int user_namespace = -1;
  const char* root_label = "";
  LsmSlice lsm;
};

Outcome BecomePid1(const Pid1Slice& slice) {
  if (Outcome outcome = JoinCgroupsInside(slice.cgroup.v1_tasks); !outcome.ok()) return outcome;
  if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return FromResult(-1, "dumpable");
  prctl(PR_SET_NAME, "pod-init", 0, 0, 0);
  if (setsid() < 0) return FromResult(-1, "setsid");
  if (Outcome outcome = ResetSignalsInside(); !outcome.ok()) return outcome;
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;
  if (sigaction(SIGCHLD, &ignore, nullptr) != 0) return FromResult(-1, "SIGCHLD");
  if (Outcome outcome = UnblockSignalsInside(); !outcome.ok()) return outcome;
  if (Outcome outcome = EnterEmptyRoot(slice.root_label); !outcome.ok()) return outcome;
  if (Outcome outcome = BecomeSuperuserInside(slice.user_namespace); !outcome.ok()) return outcome;
  if (Outcome outcome = BecomeLabelledInside(slice.lsm); !outcome.ok()) return outcome;
  if (Outcome outcome = DropCapabilities(); !outcome.ok()) return outcome;
  return AllowOnlyWaiting();
}

[[noreturn]] void RunPid1(const Pid1Slice& slice, int report) {
  const Outcome outcome = BecomePid1(slice);
  // Bare calls: what ThreadSanitizer's versions call beside them is not allowed any more.
  constexpr long kSize = sizeof(outcome.error);
  if (syscall(SYS_write, report, &outcome.error, kSize) != kSize) _exit(1);
  if (!outcome.ok()) _exit(1);
  if (syscall(SYS_close_range, 0, ~0U, 0) != 0) _exit(1);
  while (true) syscall(SYS_pause);
}

}  // namespace

absl::StatusOr<CloneResult> StartPid1(const Pid1& plan) {
  plan::LsmPlan lsm;
  lsm.set_selinux_label(plan.labels.process);
  absl::StatusOr<LsmSlice> label = LsmOutside(lsm, plan.procfs);
  if (!label.ok()) return label.status();
  const Pid1Slice slice{.cgroup = plan.cgroup,
                        .user_namespace = plan.user_namespace,
                        .root_label = plan.labels.mount.c_str(),
                        .lsm = *std::move(label)};
  int pair[2];
  if (pipe2(pair, O_CLOEXEC) != 0) return ErrnoStatus(errno, "pipe for the pod's PID 1");
  UniqueFd reader(pair[0]);
  UniqueFd writer(pair[1]);
  absl::StatusOr<CloneResult> child = Clone(CLONE_NEWPID, plan.cgroup.v2_directory);
  if (!child.ok()) return Annotate(child.status(), "start the pod's PID 1");
  if (child->pid == 0) RunPid1(slice, writer.get());
  writer.reset();
  int error = 0;
  ssize_t n;
  while ((n = read(reader.get(), &error, sizeof(error))) < 0 && errno == EINTR) {
  }
  if (n == sizeof(error) && error == 0) return child;
  KillAndReap(child->pidfd.get());
  return ErrnoStatus(n == sizeof(error) ? error : ECHILD, "set up the pod's PID 1");
}

}  // namespace bulkhead::isolation
