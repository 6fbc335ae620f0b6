#include "shim/cri/request.h"
#include "shim/cri/runtime_service.h"

namespace bulkhead::cri {

namespace v1 = ::runtime::v1;

grpc::Status RuntimeService::StartContainer(grpc::ServerContext* context,
                                            const v1::StartContainerRequest* request,
                                            v1::StartContainerResponse*) {
  return calls_.Serve(context->peer(), "StartContainer", [&](CallRecord& call) -> absl::Status {
    call.container_id = request->container_id();
    if (absl::Status id = CheckContainerId(call.container_id); !id.ok()) return id;
    return backend_.pods->StartContainer(call.container_id);
  });
}

}  // namespace bulkhead::cri
