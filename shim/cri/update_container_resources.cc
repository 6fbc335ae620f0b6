#include "shim/cri/request.h"
#include "shim/cri/runtime_service.h"
#include "shim/cri/translate_container.h"

namespace bulkhead::cri {

namespace v1 = ::runtime::v1;

grpc::Status RuntimeService::UpdateContainerResources(
    grpc::ServerContext* context, const v1::UpdateContainerResourcesRequest* request,
    v1::UpdateContainerResourcesResponse*) {
  return calls_.Serve(
      context->peer(), "UpdateContainerResources", [&](CallRecord& call) -> absl::Status {
        call.container_id = request->container_id();
        if (absl::Status id = CheckContainerId(call.container_id); !id.ok()) return id;
        const absl::StatusOr<spec::Resources> resources = ToResources(*request);
        if (!resources.ok()) return resources.status();
        return backend_.pods->UpdateContainerResources(call.container_id, *resources);
      });
}

}  // namespace bulkhead::cri
