#include "shim/cri/runtime_service.h"

namespace bulkhead::cri {

namespace v1 = ::runtime::v1;

grpc::Status RuntimeService::RuntimeConfig(grpc::ServerContext* context,
                                           const v1::RuntimeConfigRequest*,
                                           v1::RuntimeConfigResponse* response) {
  return calls_.Serve(context->peer(), "RuntimeConfig", [&](CallRecord&) {
    response->mutable_linux()->set_cgroup_driver(
        backend_.node.systemd_cgroup_driver ? v1::SYSTEMD : v1::CGROUPFS);
    return absl::OkStatus();
  });
}

}  // namespace bulkhead::cri
