#include "shim/cri/faults.h"
#include "shim/cri/request.h"
#include "shim/cri/runtime_service.h"
#include "shim/cri/stream_selection.h"

namespace bulkhead::cri {

namespace v1 = ::runtime::v1;

grpc::Status RuntimeService::Attach(grpc::ServerContext* context, const v1::AttachRequest* request,
                                    v1::AttachResponse* response) {
  return calls_.Serve(context->peer(), "Attach", [&](CallRecord& call) -> absl::Status {
    call.container_id = request->container_id();
    if (absl::Status id = CheckContainerId(call.container_id); !id.ok()) return id;
    Faults faults;
    const pods::StreamSelection streams = ToStreamSelection(*request, faults);
    if (!faults.empty()) return faults.status();
    absl::StatusOr<std::string> url =
        backend_.streams->UrlFor(streaming::AttachRequest{call.container_id, streams});
    if (!url.ok()) return url.status();
    response->set_url(*std::move(url));
    return absl::OkStatus();
  });
}

}  // namespace bulkhead::cri
