#ifndef BULKHEAD_SHIM_CRI_CALLS_H_
#define BULKHEAD_SHIM_CRI_CALLS_H_

#include <grpcpp/support/status.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "shim/cri/call_record.h"
#include "shim/cri/peers.h"

namespace bulkhead::cri {

// The status as gRPC carries it: the codes are the same numbers. The message is cut to what fits
// into the trailing metadata that a client accepts (8 KiB in all, escaped).
grpc::Status ToGrpcStatus(const absl::Status& status);

// What is done around every RPC: it is timed and told to the sink. Thread safe.
class Calls {
 public:
  Calls(const Peers& peers, CallSink sink) : peers_(peers), sink_(std::move(sink)) {}

  // Serves one RPC with `body`, a function from CallRecord& to absl::Status that fills in which
  // pod, container or image it is about. `grpc_peer` is the context's peer().
  template <typename Body>
  grpc::Status Serve(const std::string& grpc_peer, const char* method, Body body) const {
    CallRecord record{.method = method, .peer = peers_.Find(grpc_peer)};
    const absl::Time start = absl::Now();
    record.status = body(record);
    return Report(record, start);
  }

  // For an RPC that is served elsewhere: tells that it is finished.
  grpc::Status Report(CallRecord record, absl::Time start) const;

  Peer PeerOf(const std::string& grpc_peer) const { return peers_.Find(grpc_peer); }

 private:
  const Peers& peers_;
  const CallSink sink_;
};

}  // namespace bulkhead::cri

#endif  // BULKHEAD_SHIM_CRI_CALLS_H_
