#ifndef BULKHEAD_SHIM_STREAMING_SOCKET_H_
#define BULKHEAD_SHIM_STREAMING_SOCKET_H_

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/role.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

namespace bulkhead::streaming {

namespace asio = boost::asio;
namespace beast = boost::beast;
using asio::ip::tcp;
using boost::system::error_code;

// A client's connection, with TLS or without; what Asio and Beast call an AsyncStream.
class Socket {
 public:
  using executor_type = asio::any_io_executor;

  // `tls` may be null. The handshake is still to be done.
  Socket(tcp::socket socket, std::shared_ptr<asio::ssl::context> tls)
      : tls_context_(std::move(tls)), stream_(std::make_unique<Stream>()) {
    if (tls_context_ != nullptr) {
      stream_->tls.emplace(std::move(socket), *tls_context_);
    } else {
      stream_->plain.emplace(std::move(socket));
    }
  }

  executor_type get_executor() { return tcp_socket().get_executor(); }

  // At once without TLS.
  void Handshake(std::function<void(error_code)> done);

  template <typename Buffers, typename Handler>
  void async_read_some(const Buffers& buffers, Handler&& handler) {
    if (stream_->tls) {
      stream_->tls->async_read_some(buffers, std::forward<Handler>(handler));
    } else {
      stream_->plain->async_read_some(buffers, std::forward<Handler>(handler));
    }
  }

  template <typename Buffers, typename Handler>
  void async_write_some(const Buffers& buffers, Handler&& handler) {
    if (stream_->tls) {
      stream_->tls->async_write_some(buffers, std::forward<Handler>(handler));
    } else {
      stream_->plain->async_write_some(buffers, std::forward<Handler>(handler));
    }
  }

  // The client reads the end once it has read what was sent.
  void EndSending();
  void Close();
  // Whether the client has ended its side or is gone; for times when nothing is read.
  bool ClientLeft();
  // Bytes that were sent and that the client's kernel has not taken (tcp(7), SIOCOUTQ).
  size_t Unsent();

 private:
  struct Stream {
    std::optional<tcp::socket> plain;
    std::optional<asio::ssl::stream<tcp::socket>> tls;
  };

  tcp::socket& tcp_socket() { return stream_->tls ? stream_->tls->next_layer() : *stream_->plain; }

  std::shared_ptr<asio::ssl::context> tls_context_;
  std::unique_ptr<Stream> stream_;  // At one address, wherever this object is moved to.
};

// What Beast's WebSocket needs of a stream that it does not know.
void teardown(beast::role_type role, Socket& socket, error_code& error);
template <typename Handler>
void async_teardown(beast::role_type, Socket& socket, Handler&& handler) {
  socket.EndSending();
  asio::post(socket.get_executor(),
             [handler = std::forward<Handler>(handler)]() mutable { handler(error_code()); });
}
inline void beast_close_socket(Socket& socket) { socket.Close(); }

}  // namespace bulkhead::streaming

#endif  // BULKHEAD_SHIM_STREAMING_SOCKET_H_
