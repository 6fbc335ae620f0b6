// Port-forward over real sockets, to an echo server of this machine.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/conformance/client/streaming/spdy_client.h"
#include "tests/conformance/client/streaming/websocket_client.h"
#include "tests/unit/streaming/server_test.h"

namespace bulkhead::streaming {
namespace {

using client::SpdyClient;
using client::WebSocketClient;
using spdy::StreamId;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

// Sends back what comes, and ends when the other side does.
class EchoServer {
 public:
  EchoServer() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size);
    getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    listen(listener_.get(), 100);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Run(); });
  }
  ~EchoServer() {
    reads = true;
    shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
    for (std::thread& thread : connections_) thread.join();
  }

  uint16_t port() const { return port_; }
  std::atomic<bool> reads = true;  // False: connections are accepted, and nothing is read.

 private:
  void Run() {
    for (;;) {
      UniqueFd connection(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!connection.valid()) return;
      connections_.emplace_back([this, connection = std::move(connection)] {
        while (!reads) {
          pollfd left = {.fd = connection.get(), .events = POLLRDHUP, .revents = 0};
          if (poll(&left, 1, 20) > 0) return;
        }
        char piece[65536];
        for (ssize_t size; (size = read(connection.get(), piece, sizeof(piece))) > 0;) {
          for (ssize_t at = 0; at < size;) {
            const ssize_t sent = send(connection.get(), piece + at, size - at, MSG_NOSIGNAL);
            if (sent <= 0) return;
            at += sent;
          }
        }
      });
    }
  }

  UniqueFd listener_;
  uint16_t port_ = 0;
  std::thread thread_;
  std::vector<std::thread> connections_;
};

class PortForwardTest : public ServerTest {
 protected:
  void Connect() {
    auto dialled = SpdyClient::Dial(Url(PortForwardRequest{"p", {}}), {"portforward.k8s.io"});
    ASSERT_TRUE(dialled.ok()) << dialled.status();
    client_ = *std::move(dialled);
  }

  // As kubectl does for each connection; the ids of data and error stream.
  std::pair<StreamId, StreamId> OpenConnection(uint16_t port) {
    const std::string id = std::to_string(next_++);
    const auto headers = [&](const char* type) {
      return spdy::Headers{{"streamtype", type}, {"port", std::to_string(port)}, {"requestid", id}};
    };
    const StreamId error = client_->Open(headers("error"));
    client_->End(error);
    return {client_->Open(headers("data")), error};
  }

  uint16_t ClosedPort() {
    EchoServer gone;
    return gone.port();
  }

  EchoServer echo_;
  std::unique_ptr<SpdyClient> client_;
  int next_ = 0;
};

TEST_F(PortForwardTest, CarriesManyConnectionsOfOneSession) {
  Connect();
  std::vector<std::pair<StreamId, StreamId>> connections;
  for (int i = 0; i < 50; ++i) connections.push_back(OpenConnection(echo_.port()));
  for (const auto& [data, error] : connections) {
    client_->Send(data, "connection " + std::to_string(data));
    client_->End(data);
  }
  for (const auto& [data, error] : connections) {
    ASSERT_TRUE(client_->AwaitEnd(data));
    EXPECT_EQ(client_->stream(data).data, "connection " + std::to_string(data));
    ASSERT_TRUE(client_->AwaitEnd(error));
    EXPECT_EQ(client_->stream(error).data, "");
  }
}

TEST_F(PortForwardTest, CarriesMegabytesBothWays) {
  Connect();
  const auto [data, error] = OpenConnection(echo_.port());
  std::string sent;
  for (uint32_t i = 0, x = 1; i < (8 << 20); ++i)
    sent.push_back(static_cast<char>((x = x * 69069 + 1) >> 24));
  client_->Send(data, sent);
  client_->End(data);
  ASSERT_TRUE(client_->AwaitEnd(data));
  EXPECT_TRUE(client_->stream(data).data == sent);
}

// As an HTTP server that refuses an upload.
TEST_F(PortForwardTest, CarriesWhatAServerSaidThatReadsNoMore) {
  const std::string answer(20000, 'a');
  UniqueFd listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ASSERT_EQ(listen(listener.get(), 1), 0);
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
  std::thread server([&] {
    for (int i = 0; i < 20; ++i) {
      const UniqueFd connection(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
      char some[100];
      EXPECT_GT(read(connection.get(), some, sizeof(some)), 0);
      EXPECT_EQ(send(connection.get(), answer.data(), answer.size(), MSG_NOSIGNAL),
                static_cast<ssize_t>(answer.size()));
    }
  });
  Connect();
  for (int i = 0; i < 20; ++i) {
    const auto [data, error] = OpenConnection(ntohs(address.sin_port));
    client_->Send(data, std::string(1 << 20, 'q'));
    EXPECT_TRUE(client_->AwaitEnd(data));
    EXPECT_EQ(client_->stream(data).data.size(), answer.size());
  }
  server.join();
}

TEST_F(PortForwardTest, SaysWhyAPortIsNotReachedAndTheSessionGoesOn) {
  const uint16_t closed = ClosedPort();
  Connect();
  const auto [data, error] = OpenConnection(closed);
  ASSERT_TRUE(client_->AwaitEnd(error));
  EXPECT_THAT(client_->stream(error).data, HasSubstr("Connection refused"));
  EXPECT_THAT(client_->stream(error).data, HasSubstr(std::to_string(closed)));
  const auto [good, good_error] = OpenConnection(echo_.port());
  client_->Send(good, "x");
  client_->End(good);
  ASSERT_TRUE(client_->AwaitEnd(good));
  EXPECT_EQ(client_->stream(good).data, "x");
}

TEST_F(PortForwardTest, PairsStreamsWithoutARequestId) {
  Connect();
  const std::string port = std::to_string(echo_.port());
  const StreamId error = client_->Open({{"streamtype", "error"}, {"port", port}});
  const StreamId data = client_->Open({{"streamtype", "data"}, {"port", port}});
  EXPECT_EQ(data, error + 2);
  client_->Send(data, "x");
  client_->End(data);
  ASSERT_TRUE(client_->AwaitEnd(data));
  EXPECT_EQ(client_->stream(data).data, "x");
}

TEST_F(PortForwardTest, RefusesStreamsWithoutAGoodPortOrType) {
  Connect();
  const auto refused = [&](const spdy::Headers& headers) {
    return client_->stream(client_->Open(headers)).reset;
  };
  EXPECT_TRUE(refused({{"streamtype", "data"}}));
  EXPECT_TRUE(refused({{"port", "80"}}));
  EXPECT_TRUE(refused({{"streamtype", "stdin"}, {"port", "80"}}));
  for (const char* port : {"0", "65536", "-1", "http", "", "80x"}) {
    EXPECT_TRUE(refused({{"streamtype", "data"}, {"port", port}})) << port;
  }
}

TEST_F(PortForwardTest, GivesUpAPairThatDoesNotBecomeWhole) {
  Restart({.creation_timeout = milliseconds(200)});
  Connect();
  const StreamId data = client_->Open(
      {{"streamtype", "data"}, {"port", std::to_string(echo_.port())}, {"requestid", "1"}});
  EXPECT_TRUE(client_->stream(data).replied);
  ASSERT_TRUE(client_->RunUntil([&] { return client_->stream(data).reset; }));
}

TEST_F(PortForwardTest, AResetConnectionIsClosedAndTheSessionGoesOn) {
  Connect();
  for (int i = 0; i < 20; ++i) {
    const auto [data, error] = OpenConnection(echo_.port());
    client_->Send(data, "x");
    ASSERT_TRUE(client_->RunUntil([&] { return !client_->stream(data).data.empty(); }));
    client_->Reset(data);
    ASSERT_TRUE(client_->AwaitEnd(error));
  }
}

TEST_F(PortForwardTest, AConnectionThatIsNotReadIsFreedWhenTheClientLeaves) {
  echo_.reads = false;
  const size_t descriptors = OpenDescriptors();
  Connect();
  const auto [data, error] = OpenConnection(echo_.port());
  client_->Send(data, std::string(300'000, 'x'));
  client_->PushBlindly(milliseconds(300));
  client_.reset();
  // The pod's end of the connection stays: its kernel holds what it does not read.
  EXPECT_TRUE(Eventually([&] { return OpenDescriptors() <= descriptors + 1; }));
}

TEST_F(PortForwardTest, TenThousandStreamsAtOnceAreRefusedBeyondTheLimit) {
  Connect();
  size_t accepted = 0, refused = 0;
  std::vector<StreamId> ids;
  for (int i = 0; i < 10'000; ++i) {
    const StreamId id = client_->Open({{"streamtype", "error"},
                                       {"port", std::to_string(echo_.port())},
                                       {"requestid", std::to_string(i)}});
    accepted += client_->stream(id).replied;
    refused += client_->stream(id).reset;
  }
  EXPECT_EQ(accepted, 256u);
  EXPECT_EQ(refused, 10'000u - 256u);
}

TEST_F(PortForwardTest, CarriesChannelsOverWebSocket) {
  for (const char* protocol : {"v4.channel.k8s.io", ""}) {
    const std::vector<std::string> protocols =
        *protocol == '\0' ? std::vector<std::string>{} : std::vector<std::string>{protocol};
    auto client = WebSocketClient::Dial(Url(PortForwardRequest{"p", {echo_.port(), ClosedPort()}}),
                                        protocols);
    ASSERT_TRUE(client.ok()) << client.status();
    const char low = static_cast<char>(echo_.port() & 0xff);
    const char high = static_cast<char>(echo_.port() >> 8);
    EXPECT_EQ(*(*client)->Receive(), std::string({'\0', low, high}));
    EXPECT_EQ(*(*client)->Receive(), std::string({'\1', low, high}));
    ASSERT_TRUE((*client)->Send(std::string_view("\0to", 3)).ok());
    std::string echoed;
    std::string error;
    while (echoed.size() < 2 || error.find("refused") == std::string::npos) {
      const absl::StatusOr<std::string> message = (*client)->Receive();
      ASSERT_TRUE(message.ok()) << message.status();
      if (message->front() == '\0') echoed += message->substr(1);
      if (message->front() == '\3') error += message->substr(1);
    }
    EXPECT_EQ(echoed, "to");
  }
}

TEST_F(PortForwardTest, ChannelsNeedPorts) {
  EXPECT_FALSE(WebSocketClient::Dial(Url(PortForwardRequest{"p", {}}), {"v4.channel.k8s.io"}).ok());
}

}  // namespace
}  // namespace bulkhead::streaming
