#include "tests/unit/streaming/server_test.h"

#include <sys/socket.h>
#include <unistd.h>

#include <set>

#include "absl/strings/match.h"
#include "gmock/gmock.h"
#include "tests/conformance/client/streaming/http_upgrade.h"
#include "tests/conformance/client/streaming/spdy_client.h"
#include "tests/conformance/client/streaming/websocket_client.h"

namespace bulkhead::streaming {
namespace {

using client::SpdyClient;
using client::UpgradedConnection;
using client::WebSocketClient;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr pods::StreamSelection kOutput = {.standard_output = true};

ExecRequest True() { return {"c", {"true"}, kOutput}; }

int StatusOf(const std::string& url, const std::vector<std::string>& headers) {
  const absl::StatusOr<UpgradedConnection> answer = client::Upgrade(url, "GET", headers);
  EXPECT_TRUE(answer.ok()) << answer.status();
  return answer.ok() ? answer->status : 0;
}

TEST_F(ServerTest, UrlsNameTheKindAndAToken) {
  EXPECT_THAT(Url(True()), StartsWith(server_->base_url() + "/exec/"));
  EXPECT_THAT(Url(AttachRequest{"c", kOutput}), StartsWith(server_->base_url() + "/attach/"));
  EXPECT_THAT(Url(PortForwardRequest{"p", {}}), StartsWith(server_->base_url() + "/portforward/"));
  EXPECT_THAT(server_->base_url(), StartsWith("http://127.0.0.1:"));
}

TEST_F(ServerTest, GivesNoUrlForWhatIsNotThere) {
  EXPECT_TRUE(absl::IsNotFound(server_->UrlFor(ExecRequest{"none", {"a"}, kOutput}).status()));
  EXPECT_TRUE(absl::IsNotFound(server_->UrlFor(AttachRequest{"none", kOutput}).status()));
  EXPECT_TRUE(absl::IsNotFound(server_->UrlFor(PortForwardRequest{"none", {}}).status()));
}

TEST_F(ServerTest, AUrlWorksOnceAndMisusesAreCounted) {
  const std::string url = Url(True());
  EXPECT_TRUE(SpdyClient::Dial(url, {"v4.channel.k8s.io"}).ok());
  EXPECT_TRUE(absl::IsNotFound(SpdyClient::Dial(url, {"v4.channel.k8s.io"}).status()));
  EXPECT_EQ(server_->refused_tokens(), 1u);
  for (const char* path : {"/", "/exec/", "/exec/AAAAAAAAAAAAAAAAAAAAAA", "/exec/a/b", "/x/y"}) {
    EXPECT_EQ(StatusOf(server_->base_url() + path, {"Connection: Upgrade", "Upgrade: SPDY/3.1"}),
              404)
        << path;
  }
}

TEST_F(ServerTest, AUrlOfAnotherKindIsRefused) {
  const std::string token = Url(True()).substr(server_->base_url().size() + 6);
  EXPECT_TRUE(absl::IsNotFound(
      SpdyClient::Dial(server_->base_url() + "/attach/" + token, {"v4.channel.k8s.io"}).status()));
}

TEST_F(ServerTest, TakesTheFirstProtocolThatBothKnow) {
  const auto chosen = [&](const std::vector<std::string>& protocols) {
    const auto connected = SpdyClient::Dial(Url(True()), protocols);
    return connected.ok() ? (*connected)->head() : std::string(connected.status().message());
  };
  EXPECT_THAT(chosen({"v9.channel.k8s.io", "v3.channel.k8s.io", "v4.channel.k8s.io"}),
              HasSubstr("X-Stream-Protocol-Version: v3.channel.k8s.io\r\n"));
  EXPECT_THAT(chosen({"v5.channel.k8s.io, v4.channel.k8s.io"}),
              HasSubstr("X-Stream-Protocol-Version: v5.channel.k8s.io\r\n"));
  EXPECT_THAT(chosen({"v9.channel.k8s.io"}),
              HasSubstr("X-Accepted-Stream-Protocol-Versions: v4.channel.k8s.io\r\n"));
  EXPECT_THAT(chosen({"v4.base64.channel.k8s.io"}), StartsWith("403"));
  EXPECT_THAT(chosen({}), StartsWith("400"));
  EXPECT_EQ(StatusOf(Url(True()),
                     {"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
                      "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
                      "Sec-WebSocket-Protocol: v9.channel.k8s.io"}),
            403);
}

TEST_F(ServerTest, EndsTheOldestOfVeryManyThatSayNothingForTheNext) {
  std::vector<UniqueFd> silent;
  for (int i = 0; i < 300; ++i) {
    absl::StatusOr<UniqueFd> socket = client::ConnectTo(server_->base_url() + "/");
    ASSERT_TRUE(socket.ok()) << socket.status();
    silent.push_back(*std::move(socket));
  }
  EXPECT_TRUE(SpdyClient::Dial(Url(True()), {"v4.channel.k8s.io"}).ok());
  char byte;
  EXPECT_LE(read(silent.front().get(), &byte, 1), 0);
  EXPECT_EQ(recv(silent.back().get(), &byte, 1, MSG_DONTWAIT), -1);
}

TEST_F(ServerTest, RefusesMessagesThatComeWithTheRequest) {
  const std::string url = Url(True());
  const UniqueFd socket = *client::ConnectTo(url);
  const std::string path = url.substr(server_->base_url().size());
  const std::string request = "GET " + path +
                              " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
                              "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                              "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n\x82\x80";
  ASSERT_EQ(send(socket.get(), request.data(), request.size(), 0),
            static_cast<ssize_t>(request.size()));
  std::string answer(1000, '\0');
  const ssize_t size = read(socket.get(), answer.data(), answer.size());
  ASSERT_GT(size, 0);
  EXPECT_THAT(answer.substr(0, static_cast<size_t>(size)), StartsWith("HTTP/1.1 400"));
}

TEST_F(ServerTest, AnswersWhatIsNoUpgradeWithAnError) {
  EXPECT_EQ(StatusOf(Url(True()), {}), 400);
  EXPECT_EQ(StatusOf(Url(True()), {"Connection: Upgrade", "Upgrade: h2c"}), 400);
  EXPECT_EQ(StatusOf(Url(True()), {"Upgrade: SPDY/3.1"}), 400);
  EXPECT_EQ(StatusOf(Url(True()), {"Connection: Upgrade", "Upgrade: websocket"}), 400)
      << "without a key";
  EXPECT_EQ(StatusOf(Url(True()), {"a header without a colon"}), 400);
  EXPECT_EQ(StatusOf(Url(True()), {"X: " + std::string(20'000, 'x')}), 400);
}

TEST_F(ServerTest, CutsOffClientsThatKeepConnectionsWithoutARequest) {
  std::vector<UniqueFd> slow;
  for (int i = 0; i < 300; ++i) {
    absl::StatusOr<UniqueFd> socket = client::ConnectTo(server_->base_url() + "/");
    ASSERT_TRUE(socket.ok()) << socket.status();
    send(socket->get(), "GET ", 4, MSG_NOSIGNAL);
    slow.push_back(*std::move(socket));
  }
  // Those beyond the limit at once, the others when their time is over.
  char byte;
  for (size_t i = 0; i < slow.size(); ++i) {
    EXPECT_LE(read(slow[i].get(), &byte, 1), 0) << i;
  }
  EXPECT_TRUE(SpdyClient::Dial(Url(True()), {"v4.channel.k8s.io"}).ok());
}

TEST_F(ServerTest, RefusesAddressesOfOthersWithoutTls) {
  const auto error = [&](const ServerOptions& options) {
    return std::string(Server::Start(options, target_).status().message());
  };
  EXPECT_THAT(error({.address = "0.0.0.0"}), HasSubstr("streaming.address"));
  EXPECT_THAT(error({.address = "::"}), HasSubstr("needs streaming.tls_certificate"));
  EXPECT_THAT(error({.address = "localhost"}), HasSubstr("is not an IP address"));
  EXPECT_THAT(error({.tls_certificate = "/a"}), HasSubstr("belong together"));
  EXPECT_THAT(error({.tls_certificate = "/none", .tls_key = "/none"}), HasSubstr("/none"));
}

TEST_F(ServerTest, ListensOnIpv6) {
  Restart({.address = "::1"});
  EXPECT_THAT(server_->base_url(), StartsWith("http://[::1]:"));
}

TEST_F(ServerTest, ItsSocketsAreNotInherited) {
  const auto held = SpdyClient::Dial(Url(True()), {"v4.channel.k8s.io"});
  ASSERT_TRUE(held.ok());
  Restart({});  // The sockets of a server that is gone would keep its port.
  const auto again = SpdyClient::Dial(Url(True()), {"v4.channel.k8s.io"});
  EXPECT_TRUE(again.ok());
}

}  // namespace
}  // namespace bulkhead::streaming
