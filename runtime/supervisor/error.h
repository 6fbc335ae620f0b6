#ifndef BULKHEAD_RUNTIME_SUPERVISOR_ERROR_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_ERROR_H_

#include "absl/status/status.h"
#include "proto/supervisor.pb.h"

namespace bulkhead::supervisor {

// A status as it travels in a Reply, and back: code, message, launch step
// (isolation::LaunchStepOf) and errno (ErrnoOf) are kept.
// `status` must not be OK.
Error ErrorFromStatus(const absl::Status& status);
absl::Status StatusFromError(const Error& error);

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_ERROR_H_
