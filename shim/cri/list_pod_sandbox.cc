#include "shim/cri/runtime_service.h"
#include "shim/cri/translate_status.h"

namespace bulkhead::cri {

namespace v1 = ::runtime::v1;

grpc::Status RuntimeService::ListPodSandbox(grpc::ServerContext* context,
                                            const v1::ListPodSandboxRequest* request,
                                            v1::ListPodSandboxResponse* response) {
  return calls_.Serve(context->peer(), "ListPodSandbox", [&](CallRecord&) -> absl::Status {
    const absl::StatusOr<pods::PodFilter> filter = ToPodFilter(request->filter());
    if (!filter.ok()) return filter.status();
    for (const pods::PodStatus& pod : backend_.pods->ListPodSandbox(*filter)) {
      *response->add_items() = FromPodItem(pod);
    }
    return absl::OkStatus();
  });
}

}  // namespace bulkhead::cri
