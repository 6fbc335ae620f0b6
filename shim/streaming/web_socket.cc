#include "shim/streaming/web_socket.h"

#include <boost/beast/http/field.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <utility>

namespace bulkhead::streaming {
namespace {

namespace http = beast::http;
namespace websocket = beast::websocket;

class BeastWebSocket final : public WebSocket {
 public:
  explicit BeastWebSocket(Socket socket) : stream_(std::move(socket)) {
    stream_.read_message_max(0);  // Messages are passed on in pieces, whatever their length.
    stream_.auto_fragment(false);
  }

  asio::any_io_executor executor() override { return stream_.get_executor(); }

  void Accept(const HttpRequest& request, const std::string& protocol, Handler done) override {
    stream_.set_option(
        websocket::stream_base::decorator([protocol](websocket::response_type& response) {
          if (!protocol.empty()) response.set(http::field::sec_websocket_protocol, protocol);
        }));
    stream_.async_accept(request, std::move(done));
  }

  void ReadSome(asio::mutable_buffer buffer, ReadHandler done) override {
    stream_.async_read_some(buffer, [this, done = std::move(done)](error_code error, size_t size) {
      done(error, size, !error && stream_.is_message_done());
    });
  }

  void Write(asio::const_buffer message, bool text, Handler done) override {
    stream_.text(text);
    stream_.async_write(message,
                        [done = std::move(done)](error_code error, size_t) { done(error); });
  }

  void SendClose(Handler done) override {
    stream_.async_close(websocket::close_code::normal, std::move(done));
  }

  void Close() override { stream_.next_layer().Close(); }
  bool ClientLeft() override { return stream_.next_layer().ClientLeft(); }
  size_t Unsent() override { return stream_.next_layer().Unsent(); }

 private:
  websocket::stream<Socket> stream_;
};

}  // namespace

std::unique_ptr<WebSocket> MakeWebSocket(Socket socket) {
  return std::make_unique<BeastWebSocket>(std::move(socket));
}

}  // namespace bulkhead::streaming
