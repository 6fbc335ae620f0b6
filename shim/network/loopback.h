#ifndef BULKHEAD_SHIM_NETWORK_LOOPBACK_H_
#define BULKHEAD_SHIM_NETWORK_LOOPBACK_H_

#include "absl/status/status.h"

namespace bulkhead::network {

// Brings the loopback interface of the calling thread's network namespace up, over rtnetlink(7);
// the kernel gives it 127.0.0.1/8 and ::1/128 itself.
absl::Status SetLoopbackUp();

}  // namespace bulkhead::network

#endif  // BULKHEAD_SHIM_NETWORK_LOOPBACK_H_
