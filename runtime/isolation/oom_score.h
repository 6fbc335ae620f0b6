#ifndef BULKHEAD_RUNTIME_ISOLATION_OOM_SCORE_H_
#define BULKHEAD_RUNTIME_ISOLATION_OOM_SCORE_H_

#include <sys/types.h>

#include "absl/status/statusor.h"

namespace bulkhead::isolation {

// Sets a process' oom_score_adj through a verified procfs and returns what it has then: without
// CAP_SYS_RESOURCE it cannot be lowered, and the kubelet asks for -997 wherever it runs, so the
// value that it has stays (proc_pid_oom_score_adj(5)). Out of [-1000, 1000]: INVALID_ARGUMENT.
absl::StatusOr<int> SetOomScoreAdj(int procfs, pid_t pid, int wanted);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_OOM_SCORE_H_
