#include "shim/cri/request.h"
#include "shim/cri/runtime_service.h"
#include "shim/cri/translate_status.h"

namespace bulkhead::cri {

namespace v1 = ::runtime::v1;

grpc::Status RuntimeService::PodSandboxStatus(grpc::ServerContext* context,
                                              const v1::PodSandboxStatusRequest* request,
                                              v1::PodSandboxStatusResponse* response) {
  return calls_.Serve(context->peer(), "PodSandboxStatus", [&](CallRecord& call) -> absl::Status {
    call.pod_id = request->pod_sandbox_id();
    if (absl::Status id = CheckPodId(call.pod_id); !id.ok()) return id;
    const absl::StatusOr<pods::PodStatus> pod = backend_.pods->PodSandboxStatus(call.pod_id);
    if (!pod.ok()) return pod.status();
    *response->mutable_status() = FromPodStatus(*pod);
    for (const pods::ContainerStatus& container : pod->containers) {
      *response->add_containers_statuses() = FromContainerStatus(container);
    }
    response->set_timestamp(pod->timestamp);
    if (request->verbose()) (*response->mutable_info())["info"] = PodInfo(*pod);
    return absl::OkStatus();
  });
}

}  // namespace bulkhead::cri
