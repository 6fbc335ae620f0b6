#include "shim/cri/faults.h"
#include "shim/cri/request.h"
#include "shim/cri/runtime_service.h"

namespace bulkhead::cri {

namespace v1 = ::runtime::v1;

namespace {

// "10.1.0.0/24,fd00::/64"; empty when the network add-on hands out the addresses itself.
absl::Status CheckPodCidr(const std::string& cidrs) {
  Faults faults;
  if (!cidrs.empty() && !IsCidrList(cidrs)) {
    faults.InvalidValue(Field("runtime_config.network_config.pod_cidr"), cidrs,
                        "is not a list of address ranges");
  }
  return faults.status();
}

}  // namespace

// The range is for runtimes that write the CNI configuration themselves. Here the network add-on
// does, which knows the range from the cluster, so there is nothing to keep.
grpc::Status RuntimeService::UpdateRuntimeConfig(grpc::ServerContext* context,
                                                 const v1::UpdateRuntimeConfigRequest* request,
                                                 v1::UpdateRuntimeConfigResponse*) {
  return calls_.Serve(context->peer(), "UpdateRuntimeConfig", [&](CallRecord&) {
    return CheckPodCidr(request->runtime_config().network_config().pod_cidr());
  });
}

}  // namespace bulkhead::cri
