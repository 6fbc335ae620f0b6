#include "shim/cri/faults.h"
#include "shim/cri/request.h"
#include "shim/cri/runtime_service.h"

namespace bulkhead::cri {

namespace v1 = ::runtime::v1;

namespace {

// Two channels of a WebSocket each, which are numbered by a byte.
constexpr int kMostPorts = 100;

absl::StatusOr<std::vector<uint16_t>> ToPorts(const v1::PortForwardRequest& request) {
  Faults faults;
  std::vector<uint16_t> ports;
  if (request.port_size() > kMostPorts) {
    faults.InvalidValue(Field("port"), request.port_size(), "are more than 100 ports");
  }
  for (int i = 0; i < request.port_size(); ++i) {
    faults.InRange(Field("port").Element(i), request.port(i), 1, 65535);
    ports.push_back(static_cast<uint16_t>(request.port(i)));
  }
  if (!faults.empty()) return faults.status();
  return ports;
}

}  // namespace

grpc::Status RuntimeService::PortForward(grpc::ServerContext* context,
                                         const v1::PortForwardRequest* request,
                                         v1::PortForwardResponse* response) {
  return calls_.Serve(context->peer(), "PortForward", [&](CallRecord& call) -> absl::Status {
    call.pod_id = request->pod_sandbox_id();
    if (absl::Status id = CheckPodId(call.pod_id); !id.ok()) return id;
    absl::StatusOr<std::vector<uint16_t>> ports = ToPorts(*request);
    if (!ports.ok()) return ports.status();
    absl::StatusOr<std::string> url =
        backend_.streams->UrlFor(streaming::PortForwardRequest{call.pod_id, *std::move(ports)});
    if (!url.ok()) return url.status();
    response->set_url(*std::move(url));
    return absl::OkStatus();
  });
}

}  // namespace bulkhead::cri
