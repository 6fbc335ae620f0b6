#ifndef BULKHEAD_SHIM_CRI_TRANSLATE_POD_H_
#define BULKHEAD_SHIM_CRI_TRANSLATE_POD_H_

#include <string>

#include "absl/status/statusor.h"
#include "proto/cri/api.pb.h"
#include "runtime/spec/pod.h"

namespace bulkhead::cri {

// Pure functions. INVALID_ARGUMENT or UNIMPLEMENTED names the field of the request and its value.
absl::StatusOr<spec::PodSpec> ToPodSpec(const ::runtime::v1::RunPodSandboxRequest& request);
absl::StatusOr<spec::PodResources> ToPodResources(
    const ::runtime::v1::UpdatePodSandboxResourcesRequest& request);

// The name of a sysctl with dots between its parts, whichever of the two forms of sysctl(8) it has:
// "net/ipv4/conf/eth0.1/mtu" is "net.ipv4.conf.eth0/1.mtu".
std::string DottedSysctl(std::string name);

}  // namespace bulkhead::cri

#endif  // BULKHEAD_SHIM_CRI_TRANSLATE_POD_H_
