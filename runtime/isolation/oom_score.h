#ifndef BULKHEAD_RUNTIME_ISOLATION_OOM_SCORE_H_
#define BULKHEAD_RUNTIME_ISOLATION_OOM_SCORE_H_

#include <string>

#include "absl/status/statusor.h"
#include "runtime/isolation/steps.h"

namespace bulkhead::isolation {

// What a process sets its own oom_score_adj to: through a procfs that is known to be one, and that
// is in a PID namespace above the process' or in its own.
struct OomScoreSlice {
  int procfs = -1;
  std::string score;
};

// INVALID_ARGUMENT for a score that is not within -1000 and 1000.
absl::StatusOr<OomScoreSlice> OomScoreOutside(int score, int procfs);

// Inside, and for the supervisor itself. By the process itself, before it executes anything: those
// that it forks inherit it. Without CAP_SYS_RESOURCE it cannot be lowered, and the kubelet asks for
// -997 wherever it runs, so the value that it has stays (proc_pid_oom_score_adj(5)).
Outcome SetOomScoreInside(const OomScoreSlice& slice);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_OOM_SCORE_H_
