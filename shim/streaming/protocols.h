#ifndef BULKHEAD_SHIM_STREAMING_PROTOCOLS_H_
#define BULKHEAD_SHIM_STREAMING_PROTOCOLS_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

// The protocols that a client may ask for, best first, in a header of its upgrade request.
namespace bulkhead::streaming {

// The values of a header that is a list, "a, b".
std::vector<std::string> SplitList(std::string_view header);

// Of exec and attach. Versions: 2 closes standard input properly, 3 has the terminal's size, 4 the
// exit status as JSON, 5 an end of standard input over WebSocket.
struct CommandProtocol {
  std::string name;  // To be answered; empty when the client named none.
  int version = 1;
  bool base64 = false;  // WebSocket in text.

  bool has_resize() const { return version >= 3; }
  bool has_json_status() const { return version >= 4; }
};

// nullopt: none of them is known.
std::optional<CommandProtocol> ChooseSpdyCommand(const std::vector<std::string>& offered);
std::vector<std::string> SpdyCommandProtocols();
// A client that offers nothing gets the first version.
std::optional<CommandProtocol> ChooseWebSocketCommand(const std::vector<std::string>& offered);

inline constexpr std::string_view kPortForward = "portforward.k8s.io";

// Of port-forward over WebSocket.
struct PortForwardProtocol {
  std::string name;
  bool tunnel = false;  // SPDY inside; else two channels a port.
  bool base64 = false;
};
std::optional<PortForwardProtocol> ChooseWebSocketPortForward(
    const std::vector<std::string>& offered);

}  // namespace bulkhead::streaming

#endif  // BULKHEAD_SHIM_STREAMING_PROTOCOLS_H_
