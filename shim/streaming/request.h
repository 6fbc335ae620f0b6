#ifndef BULKHEAD_SHIM_STREAMING_REQUEST_H_
#define BULKHEAD_SHIM_STREAMING_REQUEST_H_

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "shim/pods/attached_process.h"

namespace bulkhead::streaming {

// What a URL stands for.
struct ExecRequest {
  std::string container_id;
  std::vector<std::string> command;
  pods::StreamSelection streams;
};

struct AttachRequest {
  std::string container_id;
  pods::StreamSelection streams;
};

struct PortForwardRequest {
  std::string pod_id;
  // Only channels over WebSocket need them; SPDY names a port with each stream.
  std::vector<uint16_t> ports;
};

using Request = std::variant<ExecRequest, AttachRequest, PortForwardRequest>;

// The first part of the URL's path.
inline const char* KindOf(const Request& request) {
  constexpr const char* kKinds[] = {"exec", "attach", "portforward"};
  return kKinds[request.index()];
}

// Gives out URLs. Thread safe.
class Urls {
 public:
  virtual ~Urls() = default;
  // For one use, within a minute. NOT_FOUND and FAILED_PRECONDITION as of Target;
  // RESOURCE_EXHAUSTED: too many are not used yet.
  virtual absl::StatusOr<std::string> UrlFor(Request request) = 0;
};

}  // namespace bulkhead::streaming

#endif  // BULKHEAD_SHIM_STREAMING_REQUEST_H_
