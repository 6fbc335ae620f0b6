#include "shim/cri/runtime_service.h"

namespace bulkhead::cri {

namespace v1 = ::runtime::v1;

grpc::Status RuntimeService::Version(grpc::ServerContext* context, const v1::VersionRequest*,
                                     v1::VersionResponse* response) {
  return calls_.Serve(context->peer(), "Version", [&](CallRecord&) {
    // The version of the kubelet-to-runtime protocol, which has had this one value.
    response->set_version("0.1.0");
    response->set_runtime_name("bulkhead");
    response->set_runtime_version(backend_.node.version);
    response->set_runtime_api_version("v1");
    return absl::OkStatus();
  });
}

}  // namespace bulkhead::cri
