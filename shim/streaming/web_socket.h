#ifndef BULKHEAD_SHIM_STREAMING_WEB_SOCKET_H_
#define BULKHEAD_SHIM_STREAMING_WEB_SOCKET_H_

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "shim/streaming/socket.h"

namespace bulkhead::streaming {

using HttpRequest = beast::http::request<beast::http::string_body>;

// The server's end of a WebSocket (RFC 6455). One call of each kind at a time. It keeps Beast's
// templates in one file.
class WebSocket {
 public:
  // What was read of a message, and whether it ends there.
  using ReadHandler = std::function<void(error_code, size_t size, bool last)>;
  using Handler = std::function<void(error_code)>;

  virtual ~WebSocket() = default;
  virtual asio::any_io_executor executor() = 0;
  // Answers the upgrade; `protocol` may be empty.
  virtual void Accept(const HttpRequest& request, const std::string& protocol, Handler done) = 0;
  virtual void ReadSome(asio::mutable_buffer buffer, ReadHandler done) = 0;
  // One message.
  virtual void Write(asio::const_buffer message, bool text, Handler done) = 0;
  // The closing handshake; reading may go on meanwhile.
  virtual void SendClose(Handler done) = 0;
  virtual void Close() = 0;
  virtual bool ClientLeft() = 0;
  virtual size_t Unsent() = 0;
};

std::unique_ptr<WebSocket> MakeWebSocket(Socket socket);

}  // namespace bulkhead::streaming

#endif  // BULKHEAD_SHIM_STREAMING_WEB_SOCKET_H_
