#ifndef BULKHEAD_SHIM_NETWORK_LOCALHOST_H_
#define BULKHEAD_SHIM_NETWORK_LOCALHOST_H_

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::network {

// Connects to a TCP port of the localhost of the network namespace pinned at `netns` (empty: the
// caller's own): 127.0.0.1, then [::1], `bound` for each. The socket is non-blocking. UNAVAILABLE,
// or what the errno of IPv4 stands for, with what both addresses said.
absl::StatusOr<UniqueFd> ConnectToLocalhost(const std::string& netns, uint16_t port,
                                            std::chrono::milliseconds bound);

}  // namespace bulkhead::network

#endif  // BULKHEAD_SHIM_NETWORK_LOCALHOST_H_
