// What a container or pod that hangs costs the others, and clients that give up meanwhile.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/conformance/client/streaming/spdy_client.h"
#include "tests/unit/streaming/server_test.h"

namespace bulkhead::streaming {
namespace {

using client::SpdyClient;
using spdy::StreamId;
using ::testing::HasSubstr;

class HungTargetTest : public ServerTest {
 protected:
  struct Command {
    std::unique_ptr<SpdyClient> client;
    StreamId error = 0, out = 0;
  };

  ~HungTargetTest() override { target_.LetGo(); }

  Command Exec(const std::string& container, const std::string& script) {
    Command command;
    const Request request = ExecRequest{container, {"sh", "-c", script}, {.standard_output = true}};
    auto dialled = SpdyClient::Dial(Url(request), {"v4.channel.k8s.io"});
    EXPECT_TRUE(dialled.ok()) << dialled.status();
    command.client = *std::move(dialled);
    command.error = command.client->Open({{"streamtype", "error"}});
    command.out = command.client->Open({{"streamtype", "stdout"}});
    return command;
  }
  std::unique_ptr<SpdyClient> Forward(const std::string& pod) {
    auto dialled = SpdyClient::Dial(Url(PortForwardRequest{pod, {}}), {"portforward.k8s.io"});
    EXPECT_TRUE(dialled.ok()) << dialled.status();
    return *std::move(dialled);
  }
  // Nothing listens on the port. The ids of data and error stream.
  static std::pair<StreamId, StreamId> OpenConnection(SpdyClient& client, int number) {
    const auto headers = [&](const char* type) {
      return spdy::Headers{
          {"streamtype", type}, {"port", "1"}, {"requestid", std::to_string(number)}};
    };
    const StreamId error = client.Open(headers("error"));
    return {client.Open(headers("data")), error};
  }
};

TEST_F(HungTargetTest, HoldsUpNoOther) {
  std::vector<Command> hung;
  for (int i = 0; i < 40; ++i) hung.push_back(Exec("hung", "true"));
  const std::unique_ptr<SpdyClient> forward = Forward("hung");
  for (int i = 0; i < 40; ++i) OpenConnection(*forward, i);
  ASSERT_TRUE(Eventually([&] { return target_.hanging >= 3; }));
  Command other = Exec("c", "echo works");
  ASSERT_TRUE(other.client->AwaitEnd(other.error));
  EXPECT_EQ(other.client->stream(other.out).data, "works\n");
}

TEST_F(HungTargetTest, DoesNothingForClientsThatLeftBeforeTheirTurn) {
  const size_t descriptors = OpenDescriptors();
  {
    std::vector<Command> hung;
    for (int i = 0; i < 20; ++i) hung.push_back(Exec("hung", "true"));
    ASSERT_TRUE(Eventually([&] { return target_.hanging == 3; }));
  }
  ASSERT_TRUE(Eventually([&] { return OpenDescriptors() <= descriptors; }));
  target_.LetGo();
  for (int i = 0; i < 6; ++i) {
    Command next = Exec("hung", "true");
    EXPECT_TRUE(next.client->AwaitEnd(next.error));
  }
  EXPECT_EQ(target_.calls, 3 + 6);
}

TEST_F(HungTargetTest, TakesNoMoreConnectionsThanItsClientMayHaveUnderWay) {
  const std::unique_ptr<SpdyClient> client = Forward("hung");
  for (int i = 0; i < 64; ++i) {
    const auto [data, error] = OpenConnection(*client, i);
    ASSERT_TRUE(client->stream(data).replied);
    if (i < 3) {
      ASSERT_TRUE(Eventually([&] { return target_.hanging == i + 1; }));
    }
    // Those that were given up count until their call has returned.
    client->Reset(data);
    client->Reset(error);
  }
  const auto [refused, unused] = OpenConnection(*client, 64);
  EXPECT_TRUE(client->stream(refused).reset);
  target_.LetGo();
  int number = 65;
  EXPECT_TRUE(
      Eventually([&] { return client->stream(OpenConnection(*client, number++).first).replied; }));
}

TEST_F(HungTargetTest, TellsTheStatusToAClientThatRefusesTheOutput) {
  Command command = Exec("hung", "exit 3");
  command.client->Reset(command.out);
  ASSERT_TRUE(Eventually([&] { return target_.hanging == 1; }));
  // The reset has come before what follows it.
  EXPECT_NE(command.client->Open({{"streamtype", "none"}}), 0u);
  target_.LetGo();
  ASSERT_TRUE(command.client->AwaitEnd(command.error));
  EXPECT_THAT(command.client->stream(command.error).data, HasSubstr(R"("message":"3")"));
}

TEST_F(HungTargetTest, EndsAFailedConnectionWhoseErrorIsRefused) {
  const std::unique_ptr<SpdyClient> client = Forward("hung");
  const auto [data, error] = OpenConnection(*client, 0);
  client->Reset(error);
  OpenConnection(*client, 1);
  target_.LetGo();
  EXPECT_TRUE(client->AwaitEnd(data));
}

}  // namespace
}  // namespace bulkhead::streaming
