#ifndef BULKHEAD_SHIM_STREAMING_SERVER_H_
#define BULKHEAD_SHIM_STREAMING_SERVER_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "shim/streaming/request.h"
#include "shim/streaming/target.h"

namespace bulkhead::streaming {

struct ServerOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 0;            // A free one.
  std::string tls_certificate;  // Both or none.
  std::string tls_key;
  std::chrono::milliseconds idle_timeout{4 * 3600 * 1000};
  std::chrono::milliseconds creation_timeout{30'000};
};

// The HTTP server for exec, attach and port-forward. One thread moves all bytes; a few others make
// the calls of Target, which may block.
class Server : public Urls {
 public:
  // Serves from the time it returns. INVALID_ARGUMENT names the key of the configuration: an
  // address that is none, or not this machine's own without TLS.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const ServerOptions& options,
                                                       Target& target);
  // Ends all sessions. Waits for calls of Target in progress.
  ~Server() override = default;

  // "http://127.0.0.1:40123"
  virtual const std::string& base_url() const = 0;
  // How often a token was shown that is not good (any more).
  virtual uint64_t refused_tokens() const = 0;
};

}  // namespace bulkhead::streaming

#endif  // BULKHEAD_SHIM_STREAMING_SERVER_H_
