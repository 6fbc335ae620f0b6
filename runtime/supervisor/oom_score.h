#ifndef BULKHEAD_RUNTIME_SUPERVISOR_OOM_SCORE_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_OOM_SCORE_H_

#include "absl/status/status.h"

namespace bulkhead::supervisor {

// Sets the process's oom_score_adj (proc(5)) to -999, or as near to it as a process without
// CAP_SYS_RESOURCE may.
absl::Status LowerOomScore();

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_OOM_SCORE_H_
