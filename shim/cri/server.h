#ifndef BULKHEAD_SHIM_CRI_SERVER_H_
#define BULKHEAD_SHIM_CRI_SERVER_H_

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "shim/cri/backend.h"
#include "shim/cri/call_record.h"

namespace bulkhead::cri {

struct ServerOptions {
  std::string socket = "/run/bulkhead/bulkhead.sock";  // Absolute; see Listener.
  gid_t socket_gid = 0;
  // Calls are refused with RESOURCE_EXHAUSTED beyond this many threads, of which some are gRPC's
  // own.
  int max_threads = 1024;
};

// Serves both services of the CRI on a unix socket. Thread safe.
class Server {
 public:
  // Serves from the time it returns. What `backend` points to outlives the server; `sink` is told
  // of every finished RPC. Errors are Listener's and RESOURCE_EXHAUSTED.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options,
                                                       Backend backend, CallSink sink);
  // Drains without grace.
  virtual ~Server() = default;

  // Accepts nothing more, ends event streams, and lets calls finish for as long as `grace` before
  // they are cancelled. Returns when the last one has returned. May be repeated.
  virtual void Drain(absl::Duration grace) = 0;
};

}  // namespace bulkhead::cri

#endif  // BULKHEAD_SHIM_CRI_SERVER_H_
