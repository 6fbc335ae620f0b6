#ifndef BULKHEAD_SHIM_PODS_POD_NETWORK_REQUEST_H_
#define BULKHEAD_SHIM_PODS_POD_NETWORK_REQUEST_H_

#include "absl/status/statusor.h"
#include "shim/network/pod_network.h"
#include "shim/pods/record.h"

namespace bulkhead::pods {

// What the network is asked for a pod with a network namespace of its own. INVALID_ARGUMENT
// naming the annotation: a bandwidth that is none.
absl::StatusOr<network::PodNetworkRequest> NetworkRequestFor(const PodRecord& pod, int cancel_fd);

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_POD_NETWORK_REQUEST_H_
