// The cgroups of one run: one below each hierarchy that the host has mounted.
#ifndef BULKHEAD_TESTS_BENCH_FLOOR_CGROUPS_H_
#define BULKHEAD_TESTS_BENCH_FLOOR_CGROUPS_H_

#include <limits.h>

enum { kMaxHierarchies = 16 };

struct hierarchy {
  char mount[PATH_MAX];
  int is_v2;
  int needs_cpuset;
};

struct cgroups {
  struct hierarchy hierarchies[kMaxHierarchies];
  int count;
  // Of the run: v1 `tasks` files, opened by the parent so that the child joins by writing 0.
  int tasks[kMaxHierarchies];
  int tasks_count;
  // Directory on the v2 tree for CLONE_INTO_CGROUP, -1 when there is none.
  int v2_dir;
};

// Finds the mounted hierarchies that can be written, from /proc/self/mountinfo, and makes
// `parent` in each. Returns 0 or -1 with errno.
int cgroups_find(struct cgroups* groups, const char* parent);

// Makes `parent`/`name` everywhere and opens what the child needs.
int cgroups_make(struct cgroups* groups, const char* parent, const char* name);

// Between clone and exec: joins the v1 cgroups. System calls only.
int cgroups_join(const struct cgroups* groups);

void cgroups_close(struct cgroups* groups);

// Removes `parent`/`name`, or `parent` itself when `name` is NULL.
void cgroups_remove(const struct cgroups* groups, const char* parent, const char* name);

#endif  // BULKHEAD_TESTS_BENCH_FLOOR_CGROUPS_H_
