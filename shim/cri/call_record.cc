#include "shim/cri/call_record.h"

#include <chrono>
#include <string_view>
#include <utility>

namespace bulkhead::cri {
namespace {

void AddUnlessEmpty(Event& event, std::string_view key, std::string_view value) {
  if (!value.empty()) std::move(event).With(key, value);
}

}  // namespace

Event ToEvent(const CallRecord& record) {
  Event event("rpc");
  std::move(event).With("method", std::string_view(record.method));
  AddUnlessEmpty(event, "pod", record.pod);
  AddUnlessEmpty(event, "pod_id", record.pod_id);
  AddUnlessEmpty(event, "container", record.container);
  AddUnlessEmpty(event, "container_id", record.container_id);
  AddUnlessEmpty(event, "image", record.image);
  return std::move(event)
      .With("duration", absl::ToChronoNanoseconds(record.duration))
      .With("peer_pid", record.peer.pid)
      .With("peer_uid", record.peer.uid)
      .With("status", record.status);
}

}  // namespace bulkhead::cri
