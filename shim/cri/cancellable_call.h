#ifndef BULKHEAD_SHIM_CRI_CANCELLABLE_CALL_H_
#define BULKHEAD_SHIM_CRI_CANCELLABLE_CALL_H_

#include <grpcpp/support/server_callback.h>

#include <functional>
#include <stop_token>

namespace bulkhead::cri {

// Serves a unary RPC of the callback interface with `work`, on a thread of its own, and asks it to
// stop when the client leaves or its deadline passes. RESOURCE_EXHAUSTED when there is no thread to
// be had.
grpc::ServerUnaryReactor* RunCancellable(std::function<grpc::Status(std::stop_token)> work);

}  // namespace bulkhead::cri

#endif  // BULKHEAD_SHIM_CRI_CANCELLABLE_CALL_H_
