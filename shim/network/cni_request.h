#ifndef BULKHEAD_SHIM_NETWORK_CNI_REQUEST_H_
#define BULKHEAD_SHIM_NETWORK_CNI_REQUEST_H_

#include "absl/status/status.h"
#include "nlohmann/json.hpp"
#include "shim/network/cni_plugin.h"
#include "shim/network/pod_network.h"

namespace bulkhead::network {

// INVALID_ARGUMENT with the field's name for what no plugin could be told as it is meant.
absl::Status CheckPodNetworkRequest(const PodNetworkRequest& request);

// The attachment of the pod's one interface, eth0, with the CNI_ARGS that Kubernetes' add-ons read.
CniAttachment MakeAttachment(const PodNetworkRequest& request);

// The values for the capabilities of CNI's conventions: portMappings, bandwidth, ips, mac, dns,
// cgroupPath and io.kubernetes.cri.pod-annotations. What was not asked for has no entry.
nlohmann::json MakeCapabilities(const PodNetworkRequest& request);

}  // namespace bulkhead::network

#endif  // BULKHEAD_SHIM_NETWORK_CNI_REQUEST_H_
