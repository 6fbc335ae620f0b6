#include <chrono>

#include "shim/cri/request.h"
#include "shim/cri/runtime_service.h"

namespace bulkhead::cri {

namespace v1 = ::runtime::v1;

grpc::Status RuntimeService::ExecSync(grpc::ServerContext* context,
                                      const v1::ExecSyncRequest* request,
                                      v1::ExecSyncResponse* response) {
  return calls_.Serve(context->peer(), "ExecSync", [&](CallRecord& call) -> absl::Status {
    call.container_id = request->container_id();
    if (absl::Status id = CheckContainerId(call.container_id); !id.ok()) return id;
    if (absl::Status command = CheckCommand(request->cmd()); !command.ok()) return command;
    const absl::StatusOr<std::chrono::seconds> timeout = ToSeconds(request->timeout());
    if (!timeout.ok()) return timeout.status();
    absl::StatusOr<pods::ExecResult> result = backend_.pods->ExecSync(
        call.container_id, {request->cmd().begin(), request->cmd().end()}, *timeout);
    if (!result.ok()) return result.status();
    response->set_stdout(std::move(result->standard_output));
    response->set_stderr(std::move(result->standard_error));
    response->set_exit_code(result->exit_code);
    return absl::OkStatus();
  });
}

}  // namespace bulkhead::cri
