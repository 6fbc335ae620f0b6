#ifndef BULKHEAD_RUNTIME_KERNEL_STATUS_H_
#define BULKHEAD_RUNTIME_KERNEL_STATUS_H_

#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bulkhead {

// The status with "context: " put before its message, its code and payloads kept. OK stays OK.
absl::Status Annotate(const absl::Status& status, std::string_view context);

// The status for a failed system call: `error` is the errno, the message "context: strerror".
// The errno stays readable through ErrnoOf.
absl::Status ErrnoStatus(int error, std::string_view context);

// The status with `error` as its errno, its code and message kept; `status` must not be OK.
absl::Status WithErrno(absl::Status status, int error);

// The errno that ErrnoStatus or WithErrno put into a status, 0 if there is none.
int ErrnoOf(const absl::Status& status);

}  // namespace bulkhead

#endif  // BULKHEAD_RUNTIME_KERNEL_STATUS_H_
