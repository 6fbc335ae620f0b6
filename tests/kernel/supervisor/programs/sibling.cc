// What a hostile process does to its parent. Statically linked, as it runs in a container.
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

// With an argument: makes its parent its tracer and stops. Without: makes a process that is its
// parent's child, not its own, and ends.
int main(int argc, char**) {
  if (argc > 1) {
    if (ptrace(PTRACE_TRACEME, 0, 0, 0) != 0) return 1;
    syscall(SYS_kill, getpid(), SIGTRAP);
    return 2;
  }
  const long pid = syscall(SYS_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
  return pid < 0 ? 1 : 0;
}
