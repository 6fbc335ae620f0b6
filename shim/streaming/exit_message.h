#ifndef BULKHEAD_SHIM_STREAMING_EXIT_MESSAGE_H_
#define BULKHEAD_SHIM_STREAMING_EXIT_MESSAGE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace bulkhead::streaming {

// What goes to the client's error stream when a command has ended, or could not be run: from
// version 4 on a metav1.Status in JSON, before it a sentence, or nothing for success.
std::string ExitMessage(const absl::StatusOr<int32_t>& exit_code, bool json);

}  // namespace bulkhead::streaming

#endif  // BULKHEAD_SHIM_STREAMING_EXIT_MESSAGE_H_
