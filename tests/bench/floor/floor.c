// bulkhead-floor: what the kernel itself takes for a container. Makes the isolation and the
// cgroups of one by bare system calls, n times, and prints median and 90th percentile; with
// --idle prints the memory of idle processes that hold such namespaces.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <getopt.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/floor/cgroups.h"
#include "tests/bench/floor/isolate.h"

enum { kPathSize = 256 };

static const char kParent[] = "bulkhead-floor";
static const unsigned long long kContainer =
    CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;

struct variant {
  const char* name;
  unsigned long long namespaces;
  int with_cgroups;
};

static const struct variant kVariants[] = {
    {"mount,pid,ipc,uts,cgroup",
     CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP, 0},
    {"mount,pid,ipc,uts,cgroup + cgroups",
     CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP, 1},
    {"mount,pid,ipc,uts,cgroup,net",
     CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_NEWNET, 0},
    {"mount,pid,ipc,uts,cgroup,net + cgroups",
     CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_NEWNET, 1},
    {"mount,pid,cgroup (joins a pod's net,ipc,uts) + cgroups",
     CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWCGROUP, 1},
};

struct workspace {
  char base[kPathSize];
  char lower[2 * kPathSize];
  char root[2 * kPathSize];
  char upper[2 * kPathSize];
  char work[2 * kPathSize];
  struct cgroups groups;
};

struct samples {
  double* to_exec;
  double* to_end;
  int count;
};

static void die(const char* what) {
  fprintf(stderr, "bulkhead-floor: %s: %s\n", what, strerror(errno));
  exit(1);
}

static double now_ms(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static void make_dir(const char* base, const char* name) {
  char path[3 * kPathSize];
  snprintf(path, sizeof path, "%s/%s", base, name);
  if (mkdir(path, 0755) < 0) die(path);
}

static void copy_program(const char* from, const char* to) {
  struct stat info;
  int in = open(from, O_RDONLY | O_CLOEXEC);
  if (in < 0 || fstat(in, &info) < 0) die(from);
  int out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
  if (out < 0 || sendfile(out, in, NULL, (size_t)info.st_size) != info.st_size) die(to);
  close(in);
  close(out);
}

static void workspace_open(struct workspace* space, const char* folder, const char* program) {
  char target[3 * kPathSize];
  snprintf(space->base, sizeof space->base, "%s/bulkhead-floor-XXXXXX", folder);
  if (mkdtemp(space->base) == NULL) die(space->base);
  make_dir(space->base, "lower");
  make_dir(space->base, "root");
  snprintf(space->lower, sizeof space->lower, "%s/lower", space->base);
  snprintf(space->root, sizeof space->root, "%s/root", space->base);
  make_dir(space->lower, "proc");
  make_dir(space->lower, "dev");
  snprintf(target, sizeof target, "%s/still", space->lower);
  copy_program(program, target);
  if (cgroups_find(&space->groups, kParent) < 0) die("making a cgroup");
}

static int remove_entry(const char* path, const struct stat* info, int type, struct FTW* where) {
  (void)info;
  (void)type;
  (void)where;
  return remove(path);
}

static void workspace_close(struct workspace* space) {
  cgroups_remove(&space->groups, kParent, NULL);
  nftw(space->base, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

// Starts one process in its own layer and cgroups.
static pid_t start(struct workspace* space, const struct variant* variant, int index, int idle) {
  char* const run[] = {"/still", NULL};
  char* const wait_for_signal[] = {"/still", "wait", NULL};
  struct cgroups none = {.v2_dir = -1};
  char name[32];
  snprintf(name, sizeof name, "run%d", index);
  snprintf(space->upper, sizeof space->upper, "%s/upper%d", space->base, index);
  snprintf(space->work, sizeof space->work, "%s/work%d", space->base, index);
  if (mkdir(space->upper, 0755) < 0 || mkdir(space->work, 0755) < 0) die(space->upper);
  if (variant->with_cgroups && cgroups_make(&space->groups, kParent, name) < 0) {
    die("making a cgroup");
  }
  struct isolation isolation = {
      .namespaces = variant->namespaces,
      .lower = space->lower,
      .upper = space->upper,
      .work = space->work,
      .root = space->root,
      .argv = idle ? wait_for_signal : run,
      .groups = variant->with_cgroups ? &space->groups : &none,
  };
  pid_t pid = isolate(&isolation);
  if (pid < 0) die("starting an isolated process");
  if (variant->with_cgroups) cgroups_close(&space->groups);
  return pid;
}

static void remove_run(struct workspace* space, int index) {
  static const char* const kKinds[] = {"upper", "work"};
  char path[2 * kPathSize];
  for (int i = 0; i < 2; ++i) {
    snprintf(path, sizeof path, "%s/%s%d", space->base, kKinds[i], index);
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
  }
  snprintf(path, sizeof path, "run%d", index);
  cgroups_remove(&space->groups, kParent, path);
}

static int compare(const void* left, const void* right) {
  double a = *(const double*)left;
  double b = *(const double*)right;
  return (a > b) - (a < b);
}

static double percentile(double* values, int count, double share) {
  qsort(values, (size_t)count, sizeof *values, compare);
  return values[(int)((count - 1) * share + 0.5)];
}

static void measure(struct workspace* space, struct samples* samples) {
  printf("%-56s %9s %9s %9s %9s\n", "ms", "exec p50", "exec p90", "end p50", "end p90");
  for (size_t v = 0; v < sizeof kVariants / sizeof kVariants[0]; ++v) {
    for (int i = 0; i < samples->count; ++i) {
      double begin = now_ms();
      pid_t pid = start(space, &kVariants[v], i, 0);
      samples->to_exec[i] = now_ms() - begin;
      waitpid(pid, NULL, 0);
      samples->to_end[i] = now_ms() - begin;
      remove_run(space, i);
    }
    printf("%-56s %9.2f %9.2f %9.2f %9.2f\n", kVariants[v].name,
           percentile(samples->to_exec, samples->count, 0.5),
           percentile(samples->to_exec, samples->count, 0.9),
           percentile(samples->to_end, samples->count, 0.5),
           percentile(samples->to_end, samples->count, 0.9));
  }
}

static long pss_kib(pid_t pid) {
  char path[64];
  char line[256];
  long value = -1;
  snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
  FILE* file = fopen(path, "re");
  if (file == NULL) die(path);
  while (value < 0 && fgets(line, sizeof line, file) != NULL) sscanf(line, "Pss: %ld", &value);
  fclose(file);
  return value;
}

static void measure_idle(struct workspace* space, int count) {
  const struct variant variant = {"idle", kContainer | CLONE_NEWNET, 1};
  pid_t* pids = calloc((size_t)count, sizeof *pids);
  long total = 0;
  if (pids == NULL) die("allocating");
  for (int i = 0; i < count; ++i) pids[i] = start(space, &variant, i, 1);
  for (int i = 0; i < count; ++i) total += pss_kib(pids[i]);
  for (int i = 0; i < count; ++i) {
    kill(pids[i], SIGKILL);
    waitpid(pids[i], NULL, 0);
    remove_run(space, i);
  }
  free(pids);
  printf("PSS of an idle static C program, %d of them: %.1f KiB each\n", count,
         (double)total / count);
}

int main(int argc, char** argv) {
  static const struct option kOptions[] = {{"runs", required_argument, NULL, 'n'},
                                           {"idle", required_argument, NULL, 'i'},
                                           {"program", required_argument, NULL, 'p'},
                                           {"dir", required_argument, NULL, 'd'},
                                           {NULL, 0, NULL, 0}};
  struct workspace space;
  const char* program = BULKHEAD_FLOOR_PROGRAM;
  const char* folder = "/tmp";
  int runs = 200;
  int idle = 0;
  for (int option; (option = getopt_long(argc, argv, "", kOptions, NULL)) != -1;) {
    if (option == 'n') runs = atoi(optarg);
    if (option == 'i') idle = atoi(optarg);
    if (option == 'p') program = optarg;
    if (option == 'd') folder = optarg;
    if (option == '?') return 2;
  }
  if (runs < 0 || idle < 0 || runs + idle == 0) {
    fprintf(stderr, "usage: bulkhead-floor [--runs N] [--idle N] [--program PATH] [--dir DIR]\n");
    return 2;
  }
  workspace_open(&space, folder, program);
  if (runs > 0) {
    struct samples samples = {calloc((size_t)runs, sizeof(double)),
                              calloc((size_t)runs, sizeof(double)), runs};
    if (samples.to_exec == NULL || samples.to_end == NULL) die("allocating");
    measure(&space, &samples);
    free(samples.to_exec);
    free(samples.to_end);
  }
  if (idle > 0) measure_idle(&space, idle);
  workspace_close(&space);
  return 0;
}
