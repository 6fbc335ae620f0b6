// What tests run in a container where a shell cannot do it.
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Ignores every signal that can be ignored and forks without end; each child does the same.
_Noreturn static void fork_forever(void) {
  for (int signal_number = 1; signal_number < 32; ++signal_number) signal(signal_number, SIG_IGN);
  for (;;) {
    // Refused at the pids limit, and tried again at once.
    if (fork() < 0) usleep(1000);
  }
}

// Touches memory until somebody ends it.
_Noreturn static void eat_forever(void) {
  static const size_t kStep = 1 << 20;
  for (;;) {
    char* block = malloc(kStep);
    if (block != NULL) memset(block, 1, kStep);
  }
}

// `count` lines of `size` bytes with the line feed, each with its number.
static int write_lines(long count, size_t size) {
  char* line = malloc(size + 32);
  if (line == NULL || size < 12) return 2;
  for (long i = 0; i < count; ++i) {
    int head = snprintf(line, size + 32, "%010ld ", i);
    memset(line + head, 'x', size - (size_t)head - 1);
    line[size - 1] = '\n';
    for (size_t done = 0; done < size;) {
      ssize_t written = write(STDOUT_FILENO, line + done, size - done);
      if (written < 0) return 1;
      done += (size_t)written;
    }
  }
  return 0;
}

// Every byte value but the line feed, twice, then a line feed, so that a change of any shows.
static int write_binary(void) {
  unsigned char bytes[512];
  int count = 0;
  for (int i = 0; i < 512; ++i) {
    if (i % 256 != '\n') bytes[count++] = (unsigned char)i;
  }
  bytes[count++] = '\n';
  return write(STDOUT_FILENO, bytes, (size_t)count) == count ? 0 : 1;
}

// A call that makes a process: the new one ends at once and is reaped.
static long forking_call(long number, long flags) {
  const long pid = syscall(number, flags, 0, 0, 0, 0);
  if (pid == 0) _exit(0);
  if (pid > 0) waitpid((pid_t)pid, NULL, __WALL);
  return pid;
}

static void tell(const char* name, long result) {
  printf("%s %s\n", name, result >= 0 ? "ok" : strerrorname_np(errno));
}

// Calls that widen the kernel's surface, with arguments that do no harm: whether they got into it.
static int try_calls(void) {
  tell("io_uring_setup", syscall(SYS_io_uring_setup, 0, NULL));
  tell("bpf", syscall(SYS_bpf, -1, NULL, 0));
  tell("perf_event_open", syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
  tell("keyctl", syscall(SYS_keyctl, -1));
  tell("add_key", syscall(SYS_add_key, NULL, NULL, NULL, 0, 0));
  tell("request_key", syscall(SYS_request_key, NULL, NULL, NULL, 0));
  tell("userfaultfd", syscall(SYS_userfaultfd, -1));
  tell("clone", forking_call(SYS_clone, CLONE_NEWUSER | SIGCHLD));
  tell("clone3", syscall(SYS_clone3, NULL, 0));
  tell("socket", socket(AF_ALG, SOCK_SEQPACKET, 0));
  tell("unshare", unshare(CLONE_NEWUSER));
  return 0;
}

int main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], "fork-forever") == 0) fork_forever();
  if (argc == 2 && strcmp(argv[1], "eat-forever") == 0) eat_forever();
  if (argc == 2 && strcmp(argv[1], "binary") == 0) return write_binary();
  if (argc == 2 && strcmp(argv[1], "calls") == 0) return try_calls();
  if (argc == 4 && strcmp(argv[1], "lines") == 0) {
    return write_lines(atol(argv[2]), (size_t)atol(argv[3]));
  }
  fprintf(stderr, "usage: probe fork-forever|eat-forever|binary|calls|lines COUNT SIZE\n");
  return 2;
}
