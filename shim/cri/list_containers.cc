#include "shim/cri/runtime_service.h"
#include "shim/cri/translate_status.h"

namespace bulkhead::cri {

namespace v1 = ::runtime::v1;

grpc::Status RuntimeService::ListContainers(grpc::ServerContext* context,
                                            const v1::ListContainersRequest* request,
                                            v1::ListContainersResponse* response) {
  return calls_.Serve(context->peer(), "ListContainers", [&](CallRecord&) -> absl::Status {
    const absl::StatusOr<pods::ContainerFilter> filter = ToContainerFilter(request->filter());
    if (!filter.ok()) return filter.status();
    for (const pods::ContainerStatus& container : backend_.pods->ListContainers(*filter)) {
      *response->add_containers() = FromContainerItem(container);
    }
    return absl::OkStatus();
  });
}

}  // namespace bulkhead::cri
