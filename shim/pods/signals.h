#ifndef BULKHEAD_SHIM_PODS_SIGNALS_H_
#define BULKHEAD_SHIM_PODS_SIGNALS_H_

#include <string>

#include "absl/status/statusor.h"

namespace bulkhead::pods {

// The number of "SIGTERM", "TERM", "15", "SIGRTMIN+3" or "RTMAX-1", in any case; signal(7).
// INVALID_ARGUMENT for anything else.
absl::StatusOr<int> SignalNumber(const std::string& name);

// What stops a container: what it asks for, else its image, else SIGTERM; empty: nothing is asked
// for. INVALID_ARGUMENT for what is no signal.
absl::StatusOr<std::string> StopSignal(const std::string& asked, const std::string& of_image);

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_SIGNALS_H_
