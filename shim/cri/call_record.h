#ifndef BULKHEAD_SHIM_CRI_CALL_RECORD_H_
#define BULKHEAD_SHIM_CRI_CALL_RECORD_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "shim/cri/peers.h"
#include "shim/log/event.h"

namespace bulkhead::cri {

// What the log tells of one finished RPC: names and ids, nothing else of the request.
struct CallRecord {
  std::string method;
  std::string pod;  // "namespace/name"
  std::string pod_id;
  std::string container;
  std::string container_id;
  std::string image;
  Peer peer;
  absl::Duration duration;
  absl::Status status;
};

// Told of each RPC when it is finished, on the thread that served it; must not wait.
using CallSink = std::function<void(const CallRecord&)>;

// The record for the log; what is empty is left out.
Event ToEvent(const CallRecord& record);

}  // namespace bulkhead::cri

#endif  // BULKHEAD_SHIM_CRI_CALL_RECORD_H_
