#include "shim/streaming/socket.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <boost/asio/post.hpp>

namespace bulkhead::streaming {

void Socket::Handshake(std::function<void(error_code)> done) {
  if (stream_->tls) {
    stream_->tls->async_handshake(asio::ssl::stream_base::server, std::move(done));
  } else {
    done({});
  }
}

void Socket::EndSending() {
  error_code ignored;  // The client may be gone already.
  tcp_socket().shutdown(tcp::socket::shutdown_send, ignored);
}

void Socket::Close() {
  error_code ignored;
  tcp_socket().close(ignored);
}

bool Socket::ClientLeft() {
  pollfd socket = {.fd = tcp_socket().native_handle(), .events = POLLRDHUP, .revents = 0};
  return poll(&socket, 1, 0) > 0 && (socket.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

size_t Socket::Unsent() {
  int bytes = 0;
  return ioctl(tcp_socket().native_handle(), SIOCOUTQ, &bytes) == 0 ? static_cast<size_t>(bytes)
                                                                    : 0;
}

void teardown(beast::role_type, Socket& socket, error_code& error) {
  socket.EndSending();
  error = {};
}

}  // namespace bulkhead::streaming
