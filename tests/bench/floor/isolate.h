// One isolated process made with nothing but the system calls that it takes.
#ifndef BULKHEAD_TESTS_BENCH_FLOOR_ISOLATE_H_
#define BULKHEAD_TESTS_BENCH_FLOOR_ISOLATE_H_

#include <sys/types.h>

#include "tests/bench/floor/cgroups.h"

// Paths of one run, absolute.
struct isolation {
  // CLONE_NEW* flags; a mount namespace is always among them.
  unsigned long long namespaces;
  const char* lower;
  const char* upper;
  const char* work;
  // Where the overlay is mounted, in the new mount namespace only.
  const char* root;
  // Arguments of the program, a path inside of `lower` first.
  char* const* argv;
  struct cgroups* groups;
};

// Starts the process and returns when it has executed its program. Returns its pid, or -1 with
// errno; a child that failed was reaped.
pid_t isolate(const struct isolation* isolation);

#endif  // BULKHEAD_TESTS_BENCH_FLOOR_ISOLATE_H_
