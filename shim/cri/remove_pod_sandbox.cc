#include "shim/cri/request.h"
#include "shim/cri/runtime_service.h"

namespace bulkhead::cri {

namespace v1 = ::runtime::v1;

grpc::Status RuntimeService::RemovePodSandbox(grpc::ServerContext* context,
                                              const v1::RemovePodSandboxRequest* request,
                                              v1::RemovePodSandboxResponse*) {
  return calls_.Serve(context->peer(), "RemovePodSandbox", [&](CallRecord& call) -> absl::Status {
    call.pod_id = request->pod_sandbox_id();
    if (absl::Status id = CheckPodId(call.pod_id); !id.ok()) return id;
    return backend_.pods->RemovePodSandbox(call.pod_id);
  });
}

}  // namespace bulkhead::cri
