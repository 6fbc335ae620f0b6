#include "shim/cri/request.h"
#include "shim/cri/runtime_service.h"
#include "shim/cri/translate_pod.h"

namespace bulkhead::cri {

namespace v1 = ::runtime::v1;

grpc::Status RuntimeService::UpdatePodSandboxResources(
    grpc::ServerContext* context, const v1::UpdatePodSandboxResourcesRequest* request,
    v1::UpdatePodSandboxResourcesResponse*) {
  return calls_.Serve(
      context->peer(), "UpdatePodSandboxResources", [&](CallRecord& call) -> absl::Status {
        call.pod_id = request->pod_sandbox_id();
        if (absl::Status id = CheckPodId(call.pod_id); !id.ok()) return id;
        const absl::StatusOr<spec::PodResources> resources = ToPodResources(*request);
        if (!resources.ok()) return resources.status();
        return backend_.pods->UpdatePodSandboxResources(call.pod_id, *resources);
      });
}

}  // namespace bulkhead::cri
