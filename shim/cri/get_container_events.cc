#include "absl/time/clock.h"
#include "shim/cri/event_stream.h"
#include "shim/cri/runtime_service.h"

namespace bulkhead::cri {

namespace v1 = ::runtime::v1;

grpc::ServerWriteReactor<v1::ContainerEventResponse>* RuntimeService::GetContainerEvents(
    grpc::CallbackServerContext* context, const v1::GetEventsRequest*) {
  const absl::Time start = absl::Now();
  return EventStream::Start(
      backend_.pods->SubscribeEvents(), streams_.get_token(),
      [this, start, peer = calls_.PeerOf(context->peer())](const absl::Status& ended) {
        return calls_.Report({.method = "GetContainerEvents", .peer = peer, .status = ended},
                             start);
      });
}

}  // namespace bulkhead::cri
