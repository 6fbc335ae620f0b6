#define _GNU_SOURCE
#include "tests/bench/floor/isolate.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

// The devices of the OCI runtime specification, made on a tmpfs.
static int make_devices(void) {
  static const struct {
    const char* path;
    unsigned minor;
  } kMemory[] = {
      {"dev/null", 3}, {"dev/zero", 5}, {"dev/full", 7}, {"dev/random", 8}, {"dev/urandom", 9}};
  if (mount("tmpfs", "dev", "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k") < 0) {
    return -1;
  }
  for (size_t i = 0; i < sizeof kMemory / sizeof kMemory[0]; ++i) {
    if (mknod(kMemory[i].path, S_IFCHR | 0666, makedev(1, kMemory[i].minor)) < 0) return -1;
  }
  return 0;
}

static int enter_root(const struct isolation* isolation) {
  char options[3 * PATH_MAX + 64];
  snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s,workdir=%s", isolation->lower,
           isolation->upper, isolation->work);
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) return -1;
  if (mount("overlay", isolation->root, "overlay", 0, options) < 0) return -1;
  if (chdir(isolation->root) < 0) return -1;
  if (isolation->namespaces & CLONE_NEWPID) {
    if (mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0) return -1;
  }
  if (make_devices() < 0) return -1;
  // The old root lands on top of the new one and is detached from there.
  if (syscall(SYS_pivot_root, ".", ".") < 0) return -1;
  return umount2(".", MNT_DETACH);
}

// Never returns. An errno in the pipe says what failed; its end without one says that the
// program was executed.
static void child(const struct isolation* isolation, int report) {
  static char* const kNoEnvironment[] = {NULL};
  int failed = cgroups_join(isolation->groups) < 0 || enter_root(isolation) < 0;
  if (!failed && (isolation->namespaces & CLONE_NEWUTS)) failed = sethostname("floor", 5) < 0;
  if (!failed) execve(isolation->argv[0], isolation->argv, kNoEnvironment);
  int error = errno;
  ssize_t ignored = write(report, &error, sizeof error);
  _exit(ignored == sizeof error ? 127 : 126);
}

static pid_t clone_child(const struct isolation* isolation) {
  struct clone_args args;
  memset(&args, 0, sizeof args);
  args.flags = isolation->namespaces | CLONE_NEWNS;
  args.exit_signal = SIGCHLD;
  if (isolation->groups->v2_dir >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = (uint64_t)isolation->groups->v2_dir;
  }
  return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

pid_t isolate(const struct isolation* isolation) {
  int report[2];
  int error = 0;
  if (pipe2(report, O_CLOEXEC) < 0) return -1;
  pid_t pid = clone_child(isolation);
  if (pid == 0) child(isolation, report[1]);
  error = pid < 0 ? errno : 0;
  close(report[1]);
  if (pid > 0 && read(report[0], &error, sizeof error) > 0) {
    waitpid(pid, NULL, 0);
    pid = -1;
  }
  close(report[0]);
  errno = error;
  return pid;
}
