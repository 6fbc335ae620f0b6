#define _GNU_SOURCE
#include "tests/bench/floor/cgroups.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int copy_file(const char* from, const char* to) {
  char text[4096];
  int in = open(from, O_RDONLY | O_CLOEXEC);
  if (in < 0) return -1;
  ssize_t size = read(in, text, sizeof text);
  close(in);
  if (size <= 0) return -1;
  int out = open(to, O_WRONLY | O_CLOEXEC);
  if (out < 0) return -1;
  ssize_t written = write(out, text, (size_t)size);
  close(out);
  return written == size ? 0 : -1;
}

// A new v1 cpuset is empty and takes no task before its parent's values are copied.
static int fill_cpuset(const char* parent_dir, const char* dir) {
  static const char* const kFiles[] = {"cpuset.cpus", "cpuset.mems"};
  char from[PATH_MAX + 32];
  char to[PATH_MAX + 32];
  for (int i = 0; i < 2; ++i) {
    snprintf(from, sizeof from, "%s/%s", parent_dir, kFiles[i]);
    snprintf(to, sizeof to, "%s/%s", dir, kFiles[i]);
    if (copy_file(from, to) < 0) return -1;
  }
  return 0;
}

static int make_dir(const struct hierarchy* hierarchy, const char* parent_dir, const char* dir) {
  if (mkdir(dir, 0755) < 0 && errno != EEXIST) return -1;
  return hierarchy->needs_cpuset ? fill_cpuset(parent_dir, dir) : 0;
}

// One line of mountinfo: "... <mount point> <options> ... - <type> <source> <super options>".
static int parse_hierarchy(const char* line, struct hierarchy* found) {
  char type[32];
  char super[256];
  const char* tail = strstr(line, " - ");
  if (tail == NULL || sscanf(tail, " - %31s %*s %255s", type, super) != 2) return 0;
  found->is_v2 = strcmp(type, "cgroup2") == 0;
  if (!found->is_v2 && strcmp(type, "cgroup") != 0) return 0;
  found->needs_cpuset = !found->is_v2 && strstr(super, "cpuset") != NULL;
  return sscanf(line, "%*s %*s %*s %*s %4095s", found->mount) == 1;
}

int cgroups_find(struct cgroups* groups, const char* parent) {
  char line[8192];
  char dir[PATH_MAX + 256];
  memset(groups, 0, sizeof *groups);
  groups->v2_dir = -1;
  FILE* table = fopen("/proc/self/mountinfo", "re");
  if (table == NULL) return -1;
  int failed = 0;
  while (!failed && groups->count < kMaxHierarchies && fgets(line, sizeof line, table) != NULL) {
    struct hierarchy* next = &groups->hierarchies[groups->count];
    if (!parse_hierarchy(line, next)) continue;
    snprintf(dir, sizeof dir, "%s/%s", next->mount, parent);
    failed = make_dir(next, next->mount, dir) < 0;
    ++groups->count;
  }
  fclose(table);
  return failed ? -1 : 0;
}

static int open_one(struct cgroups* groups, const struct hierarchy* hierarchy, const char* dir) {
  char tasks[PATH_MAX + 512];
  if (hierarchy->is_v2) {
    groups->v2_dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return groups->v2_dir < 0 ? -1 : 0;
  }
  snprintf(tasks, sizeof tasks, "%s/tasks", dir);
  int fd = open(tasks, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  groups->tasks[groups->tasks_count++] = fd;
  return 0;
}

int cgroups_make(struct cgroups* groups, const char* parent, const char* name) {
  char parent_dir[PATH_MAX + 128];
  char dir[PATH_MAX + 256];
  groups->tasks_count = 0;
  groups->v2_dir = -1;
  for (int i = 0; i < groups->count; ++i) {
    const struct hierarchy* hierarchy = &groups->hierarchies[i];
    snprintf(parent_dir, sizeof parent_dir, "%s/%s", hierarchy->mount, parent);
    snprintf(dir, sizeof dir, "%s/%s", parent_dir, name);
    if (make_dir(hierarchy, parent_dir, dir) < 0) return -1;
    if (open_one(groups, hierarchy, dir) < 0) return -1;
  }
  return 0;
}

int cgroups_join(const struct cgroups* groups) {
  for (int i = 0; i < groups->tasks_count; ++i) {
    if (write(groups->tasks[i], "0", 1) != 1) return -1;
  }
  return 0;
}

void cgroups_close(struct cgroups* groups) {
  for (int i = 0; i < groups->tasks_count; ++i) close(groups->tasks[i]);
  if (groups->v2_dir >= 0) close(groups->v2_dir);
  groups->tasks_count = 0;
  groups->v2_dir = -1;
}

void cgroups_remove(const struct cgroups* groups, const char* parent, const char* name) {
  char dir[PATH_MAX + 256];
  for (int i = 0; i < groups->count; ++i) {
    snprintf(dir, sizeof dir, "%s/%s%s%s", groups->hierarchies[i].mount, parent,
             name == NULL ? "" : "/", name == NULL ? "" : name);
    rmdir(dir);
  }
}
