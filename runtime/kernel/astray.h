// An error after which the process is not where it belongs.
#ifndef BULKHEAD_RUNTIME_KERNEL_ASTRAY_H_
#define BULKHEAD_RUNTIME_KERNEL_ASTRAY_H_

#include "absl/status/status.h"

namespace bulkhead {

// Marks the error of a process that could not go back, to a namespace that it left for a while or
// to its own credentials: it must end before it makes anything else.
absl::Status Astray(absl::Status status);
bool IsAstray(const absl::Status& status);

}  // namespace bulkhead

#endif  // BULKHEAD_RUNTIME_KERNEL_ASTRAY_H_
