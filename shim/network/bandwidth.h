#ifndef BULKHEAD_SHIM_NETWORK_BANDWIDTH_H_
#define BULKHEAD_SHIM_NETWORK_BANDWIDTH_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "shim/network/pod_network.h"

namespace bulkhead::network {

// Reads the pod annotations kubernetes.io/ingress-bandwidth and kubernetes.io/egress-bandwidth:
// Kubernetes quantities of bits a second from 1k to 1P. None when neither is there.
// INVALID_ARGUMENT names the annotation and its value. The burst is a tenth of a second's worth,
// within what the bandwidth plugin takes.
absl::StatusOr<std::optional<Bandwidth>> ReadBandwidth(
    const std::map<std::string, std::string>& annotations);

}  // namespace bulkhead::network

#endif  // BULKHEAD_SHIM_NETWORK_BANDWIDTH_H_
