#ifndef BULKHEAD_SHIM_NETWORK_CNI_RESULT_H_
#define BULKHEAD_SHIM_NETWORK_CNI_RESULT_H_

#include <string>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "shim/network/pod_network.h"

namespace bulkhead::network {

// Reads what the last plugin of an ADD printed (CNI specification, section 5, versions 0.3.1 to
// 1.1.0). The pod's addresses are those of `interface` inside the sandbox and those of no
// interface, in the plugin's order. INTERNAL when there is none, for a pod without an address is
// of no use to the kubelet.
absl::StatusOr<PodNetworkResult> ReadCniResult(const nlohmann::json& result,
                                               const std::string& interface);

}  // namespace bulkhead::network

#endif  // BULKHEAD_SHIM_NETWORK_CNI_RESULT_H_
