#include "shim/cri/request.h"
#include "shim/cri/runtime_service.h"
#include "shim/cri/translate_container.h"

namespace bulkhead::cri {

namespace v1 = ::runtime::v1;

grpc::Status RuntimeService::CreateContainer(grpc::ServerContext* context,
                                             const v1::CreateContainerRequest* request,
                                             v1::CreateContainerResponse* response) {
  return calls_.Serve(context->peer(), "CreateContainer", [&](CallRecord& call) -> absl::Status {
    call.pod = PodName(request->sandbox_config());
    call.pod_id = request->pod_sandbox_id();
    call.container = request->config().metadata().name();
    if (absl::Status id = CheckPodId(call.pod_id); !id.ok()) return id;
    const absl::StatusOr<spec::ContainerSpec> spec = ToContainerSpec(*request);
    if (!spec.ok()) return spec.status();
    absl::StatusOr<std::string> id = backend_.pods->CreateContainer(call.pod_id, *spec);
    if (!id.ok()) return id.status();
    call.container_id = *id;
    response->set_container_id(*std::move(id));
    return absl::OkStatus();
  });
}

}  // namespace bulkhead::cri
