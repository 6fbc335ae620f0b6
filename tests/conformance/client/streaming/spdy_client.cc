#include "tests/conformance/client/streaming/spdy_client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "tests/conformance/client/streaming/http_upgrade.h"

namespace bulkhead::client {
namespace {

absl::Status StatusOfHttp(int status, const std::string& rest) {
  const std::string message = absl::StrCat(status, " ", rest);
  if (status == 404) return absl::NotFoundError(message);
  if (status == 403) return absl::PermissionDeniedError(message);
  if (status == 400) return absl::InvalidArgumentError(message);
  return absl::InternalError(message);
}

}  // namespace

absl::StatusOr<std::unique_ptr<SpdyClient>> SpdyClient::Dial(
    const std::string& url, const std::vector<std::string>& protocols) {
  std::vector<std::string> headers = {"Connection: Upgrade", "Upgrade: SPDY/3.1",
                                      "Content-Length: 0"};
  for (const std::string& protocol : protocols) {
    headers.push_back(absl::StrCat("X-Stream-Protocol-Version: ", protocol));
  }
  absl::StatusOr<UpgradedConnection> connection = Upgrade(url, "POST", headers);
  if (!connection.ok()) return connection.status();
  if (connection->status != 101) {
    return StatusOfHttp(connection->status, connection->head + connection->rest);
  }
  std::unique_ptr<SpdyClient> client(new SpdyClient(std::move(connection->socket)));
  client->head_ = connection->head;
  client->session_.Receive(connection->rest);
  fcntl(client->socket_.get(), F_SETFL, O_NONBLOCK);
  return client;
}

spdy::SessionLimits SpdyClient::Limits() {
  spdy::SessionLimits limits;
  limits.receive_window = 1 << 30;  // So that it never tells of a window.
  return limits;
}

spdy::StreamId SpdyClient::Open(const spdy::Headers& headers) {
  const spdy::StreamId id = session_.Open(headers);
  RunUntil([&] { return stream(id).replied || stream(id).reset; });
  return id;
}

bool SpdyClient::RunUntil(const std::function<bool()>& done, std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!done()) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
        deadline - std::chrono::steady_clock::now());
    if (closed_ || left.count() <= 0) return false;
    Exchange(static_cast<int>(left.count()), true);
  }
  return true;
}

void SpdyClient::PushBlindly(std::chrono::milliseconds patience) {
  output_ += std::exchange(session_.output(), {});
  for (size_t before = 0; !closed_ && !output_.empty() && before != output_.size();) {
    before = output_.size();
    Exchange(static_cast<int>(patience.count()), false);
  }
}

void SpdyClient::Exchange(int timeout_ms, bool read) {
  output_ += std::exchange(session_.output(), {});
  const bool write = !output_.empty();
  pollfd socket = {.fd = socket_.get(),
                   .events = static_cast<short>((read ? POLLIN : 0) | (write ? POLLOUT : 0)),
                   .revents = 0};
  if (poll(&socket, 1, timeout_ms) <= 0) return;
  if (write && (socket.revents & POLLOUT) != 0) {
    const ssize_t size = send(socket_.get(), output_.data(), output_.size(), MSG_NOSIGNAL);
    if (size > 0) output_.erase(0, static_cast<size_t>(size));
    if (size < 0 && errno != EAGAIN) closed_ = true;
  }
  if (read && (socket.revents & (POLLIN | POLLHUP | POLLERR)) != 0) {
    static thread_local char piece[256 * 1024];
    const ssize_t size = ::read(socket_.get(), piece, sizeof(piece));
    if (size == 0 || (size < 0 && errno != EAGAIN)) closed_ = true;
    if (size > 0 && !session_.Receive({piece, static_cast<size_t>(size)})) closed_ = true;
  }
}

}  // namespace bulkhead::client
