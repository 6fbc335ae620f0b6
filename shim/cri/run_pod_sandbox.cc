#include "shim/cri/request.h"
#include "shim/cri/runtime_service.h"
#include "shim/cri/translate_pod.h"

namespace bulkhead::cri {

namespace v1 = ::runtime::v1;

grpc::Status RuntimeService::RunPodSandbox(grpc::ServerContext* context,
                                           const v1::RunPodSandboxRequest* request,
                                           v1::RunPodSandboxResponse* response) {
  return calls_.Serve(context->peer(), "RunPodSandbox", [&](CallRecord& call) -> absl::Status {
    call.pod = PodName(request->config());
    const absl::StatusOr<spec::PodSpec> spec = ToPodSpec(*request);
    if (!spec.ok()) return spec.status();
    absl::StatusOr<std::string> id = backend_.pods->RunPodSandbox(*spec);
    if (!id.ok()) return id.status();
    call.pod_id = *id;
    response->set_pod_sandbox_id(*std::move(id));
    return absl::OkStatus();
  });
}

}  // namespace bulkhead::cri
