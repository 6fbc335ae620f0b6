#include <chrono>
#include "shim/cri/runtime_service.h"

#include "shim/cri/request.h"

namespace bulkhead::cri {

namespace v1 = ::runtime::v1;

grpc::Status RuntimeService::StopContainer(grpc::ServerContext* context,
                                           const v1::StopContainerRequest* request,
                                           v1::StopContainerResponse*) {
  return calls_.Serve(context->peer(), "StopContainer", [&](CallRecord& call) -> absl::Status {
    call.container_id = request->container_id();
    if (absl::Status id = CheckContainerId(call.container_id); !id.ok()) return id;
    const absl::StatusOr<std::chrono::seconds> grace = ToSeconds(request->timeout());
    if (!grace.ok()) return grace.status();
    return backend_.pods->StopContainer(call.container_id, *grace);
  });
}

}  // namespace bulkhead::cri
