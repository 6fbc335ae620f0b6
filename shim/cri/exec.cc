#include "shim/cri/faults.h"
#include "shim/cri/request.h"
#include "shim/cri/runtime_service.h"
#include "shim/cri/stream_selection.h"

namespace bulkhead::cri {

namespace v1 = ::runtime::v1;

grpc::Status RuntimeService::Exec(grpc::ServerContext* context, const v1::ExecRequest* request,
                                  v1::ExecResponse* response) {
  return calls_.Serve(context->peer(), "Exec", [&](CallRecord& call) -> absl::Status {
    call.container_id = request->container_id();
    if (absl::Status id = CheckContainerId(call.container_id); !id.ok()) return id;
    if (absl::Status command = CheckCommand(request->cmd()); !command.ok()) return command;
    Faults faults;
    const pods::StreamSelection streams = ToStreamSelection(*request, faults);
    if (!faults.empty()) return faults.status();
    absl::StatusOr<std::string> url = backend_.streams->UrlFor(streaming::ExecRequest{
        call.container_id, {request->cmd().begin(), request->cmd().end()}, streams});
    if (!url.ok()) return url.status();
    response->set_url(*std::move(url));
    return absl::OkStatus();
  });
}

}  // namespace bulkhead::cri
