#ifndef BULKHEAD_TESTS_CONFORMANCE_CLIENT_STREAMING_WEBSOCKET_CLIENT_H_
#define BULKHEAD_TESTS_CONFORMANCE_CLIENT_STREAMING_WEBSOCKET_CLIENT_H_

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace bulkhead::client {

// A client of exec, attach and port-forward over WebSocket: messages as they are. Blocking.
class WebSocketClient {
 public:
  static absl::StatusOr<std::unique_ptr<WebSocketClient>> Dial(
      const std::string& url, const std::vector<std::string>& protocols);
  virtual ~WebSocketClient() = default;

  virtual const std::string& protocol() const = 0;  // That the server chose.
  virtual absl::Status Send(std::string_view message, bool text = false) = 0;
  // OUT_OF_RANGE: the server has closed properly.
  virtual absl::StatusOr<std::string> Receive() = 0;

  // Reads until the server closes: what came of each channel, by its first byte.
  absl::StatusOr<std::map<char, std::string>> ReceiveAll();
};

}  // namespace bulkhead::client

#endif  // BULKHEAD_TESTS_CONFORMANCE_CLIENT_STREAMING_WEBSOCKET_CLIENT_H_
