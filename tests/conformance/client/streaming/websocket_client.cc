#include "tests/conformance/client/streaming/websocket_client.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/field.hpp>
#include <boost/beast/websocket/stream.hpp>

#include "absl/strings/str_join.h"
#include "tests/conformance/client/streaming/http_upgrade.h"

namespace bulkhead::client {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using boost::system::error_code;

class BeastClient final : public WebSocketClient {
 public:
  explicit BeastClient(UniqueFd socket) : stream_(io_) {
    stream_.next_layer().assign(asio::ip::tcp::v4(), socket.release());
  }

  absl::Status Handshake(const std::string& path, const std::vector<std::string>& protocols) {
    stream_.set_option(websocket::stream_base::decorator([&](websocket::request_type& request) {
      if (protocols.empty()) return;
      request.set(beast::http::field::sec_websocket_protocol, absl::StrJoin(protocols, ", "));
    }));
    websocket::response_type response;
    error_code error;
    stream_.handshake(response, "localhost", path, error);
    if (error == websocket::error::upgrade_declined) {
      return absl::PermissionDeniedError(std::to_string(response.result_int()));
    }
    if (error) return absl::InternalError(error.message());
    const auto chosen = response[beast::http::field::sec_websocket_protocol];
    protocol_.assign(chosen.data(), chosen.size());
    stream_.read_message_max(0);
    return absl::OkStatus();
  }

  const std::string& protocol() const override { return protocol_; }

  absl::Status Send(std::string_view message, bool text) override {
    error_code error;
    stream_.text(text);
    stream_.write(asio::buffer(message.data(), message.size()), error);
    return error ? absl::UnavailableError(error.message()) : absl::OkStatus();
  }

  absl::StatusOr<std::string> Receive() override {
    beast::flat_buffer buffer;
    error_code error;
    stream_.read(buffer, error);
    if (error == websocket::error::closed) return absl::OutOfRangeError("closed");
    if (error) return absl::UnavailableError(error.message());
    return beast::buffers_to_string(buffer.data());
  }

 private:
  asio::io_context io_;
  websocket::stream<asio::ip::tcp::socket> stream_;
  std::string protocol_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<WebSocketClient>> WebSocketClient::Dial(
    const std::string& url, const std::vector<std::string>& protocols) {
  absl::StatusOr<UniqueFd> socket = ConnectTo(url);
  if (!socket.ok()) return socket.status();
  auto client = std::make_unique<BeastClient>(*std::move(socket));
  const std::string path = url.substr(url.find('/', sizeof("http://")));
  if (absl::Status shaken = client->Handshake(path, protocols); !shaken.ok()) return shaken;
  return client;
}

absl::StatusOr<std::map<char, std::string>> WebSocketClient::ReceiveAll() {
  std::map<char, std::string> channels;
  for (;;) {
    const absl::StatusOr<std::string> message = Receive();
    if (absl::IsOutOfRange(message.status())) return channels;
    if (!message.ok()) return message.status();
    if (!message->empty()) channels[message->front()] += message->substr(1);
  }
}

}  // namespace bulkhead::client
