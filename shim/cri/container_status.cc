#include "shim/cri/request.h"
#include "shim/cri/runtime_service.h"
#include "shim/cri/translate_status.h"

namespace bulkhead::cri {

namespace v1 = ::runtime::v1;

grpc::Status RuntimeService::ContainerStatus(grpc::ServerContext* context,
                                             const v1::ContainerStatusRequest* request,
                                             v1::ContainerStatusResponse* response) {
  return calls_.Serve(context->peer(), "ContainerStatus", [&](CallRecord& call) -> absl::Status {
    call.container_id = request->container_id();
    if (absl::Status id = CheckContainerId(call.container_id); !id.ok()) return id;
    const absl::StatusOr<pods::ContainerStatus> container =
        backend_.pods->GetContainerStatus(call.container_id);
    if (!container.ok()) return container.status();
    *response->mutable_status() = FromContainerStatus(*container);
    if (!request->verbose()) return absl::OkStatus();
    (*response->mutable_info())["info"] = ContainerInfo(*container);
    if (container->state != pods::ContainerState::kRunning) return absl::OkStatus();
    (*response->mutable_info())["isolation"] =
        IsolationInfo(backend_.pods->CompareIsolation(container->id));
    return absl::OkStatus();
  });
}

}  // namespace bulkhead::cri
