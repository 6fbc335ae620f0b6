#include "shim/cri/request.h"
#include "shim/cri/runtime_service.h"

namespace bulkhead::cri {

namespace v1 = ::runtime::v1;

grpc::Status RuntimeService::StopPodSandbox(grpc::ServerContext* context,
                                            const v1::StopPodSandboxRequest* request,
                                            v1::StopPodSandboxResponse*) {
  return calls_.Serve(context->peer(), "StopPodSandbox", [&](CallRecord& call) -> absl::Status {
    call.pod_id = request->pod_sandbox_id();
    if (absl::Status id = CheckPodId(call.pod_id); !id.ok()) return id;
    return backend_.pods->StopPodSandbox(call.pod_id);
  });
}

}  // namespace bulkhead::cri
