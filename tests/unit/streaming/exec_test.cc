// Exec and attach over real sockets, with processes of this machine.
#include <algorithm>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "shim/streaming/server.h"
#include "tests/conformance/client/streaming/spdy_client.h"
#include "tests/conformance/client/streaming/websocket_client.h"
#include "tests/unit/streaming/process_target.h"
#include "tests/unit/streaming/server_test.h"

namespace bulkhead::streaming {
namespace {

using client::SpdyClient;
using client::WebSocketClient;
using nlohmann::json;
using spdy::StreamId;
using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kSuccess[] = R"({"metadata":{},"status":"Success"})";
constexpr pods::StreamSelection kAll = {
    .standard_input = true, .standard_output = true, .standard_error = true};
constexpr pods::StreamSelection kOutput = {.standard_output = true, .standard_error = true};
constexpr pods::StreamSelection kTerminal = {
    .standard_input = true, .standard_output = true, .terminal = true};

class ExecTest : public ServerTest {
 protected:
  std::string ExecUrl(const std::string& script, const pods::StreamSelection& streams) {
    return Url(ExecRequest{"c", {"sh", "-c", script}, streams});
  }
};

// The streams of one command over SPDY.
struct Command {
  Command(const std::string& url, const pods::StreamSelection& streams,
          const std::string& protocol = "v4.channel.k8s.io") {
    auto dialled = SpdyClient::Dial(url, {protocol});
    EXPECT_TRUE(dialled.ok()) << dialled.status();
    if (!dialled.ok()) return;
    client = *std::move(dialled);
    error = client->Open({{"streamtype", "error"}});
    if (streams.standard_input) in = client->Open({{"streamtype", "stdin"}});
    if (streams.standard_output) out = client->Open({{"streamtype", "stdout"}});
    if (streams.standard_error) err = client->Open({{"streamtype", "stderr"}});
    if (streams.terminal) resize = client->Open({{"streamtype", "resize"}});
  }

  std::string Status() {
    EXPECT_TRUE(client->AwaitEnd(error));
    return client->stream(error).data;
  }
  std::string Output() { return client->stream(out).data; }
  std::string Errors() { return client->stream(err).data; }
  bool AwaitOutput(const std::string& text) {
    return client->RunUntil([&] { return Output().find(text) != std::string::npos; });
  }

  std::unique_ptr<SpdyClient> client;
  StreamId error = 0, in = 0, out = 0, err = 0, resize = 0;
};

TEST_F(ExecTest, CarriesInputAndBothOutputsApartOverSpdy) {
  Command command(ExecUrl("cat; echo problem >&2", kAll), kAll);
  command.client->Send(command.in, "hello");
  command.client->End(command.in);
  EXPECT_EQ(command.Status(), kSuccess);
  EXPECT_EQ(command.Output(), "hello");
  EXPECT_EQ(command.Errors(), "problem\n");
  EXPECT_TRUE(command.client->stream(command.out).ended);
  EXPECT_TRUE(command.client->RunUntil([&] { return command.client->went_away(); }));
}

TEST_F(ExecTest, TellsAnExitCodeAsAStatus) {
  Command command(ExecUrl("exit 7", kOutput), kOutput);
  const json status = json::parse(command.Status());
  EXPECT_EQ(status["status"], "Failure");
  EXPECT_EQ(status["reason"], "NonZeroExitCode");
  EXPECT_EQ(status["details"]["causes"], json::parse(R"([{"reason":"ExitCode","message":"7"}])"));
}

TEST_F(ExecTest, TellsAnExitCodeAsASentenceBeforeVersionFour) {
  for (const char* protocol : {"v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io"}) {
    Command failure(ExecUrl("exit 7", kOutput), kOutput, protocol);
    EXPECT_EQ(failure.Status(), "command terminated with non-zero exit code: 7");
    Command success(ExecUrl("true", kOutput), kOutput, protocol);
    EXPECT_EQ(success.Status(), "");
  }
}

TEST_F(ExecTest, TellsWhyNothingCouldBeRun) {
  Command command(Url(ExecRequest{"broken", {"true"}, kOutput}), kOutput);
  const json status = json::parse(command.Status());
  EXPECT_EQ(status["reason"], "InternalError");
  EXPECT_THAT(std::string(status["message"]), HasSubstr("the supervisor is gone"));
}

TEST_F(ExecTest, SendsAllOutputBeforeTheStatus) {
  Command command(ExecUrl("head -c 3000000 /dev/zero", kOutput), kOutput);
  EXPECT_EQ(command.Status(), kSuccess);
  EXPECT_EQ(command.Output().size(), 3'000'000u);
}

TEST_F(ExecTest, SendsAllOutputToAClientThatWasSlow) {
  // The process ends at once: its output fits into the pipe. The client reads later.
  Command command(ExecUrl("head -c 60000 /dev/zero; head -c 60000 /dev/zero >&2", kOutput),
                  kOutput);
  EXPECT_EQ(command.Status(), kSuccess);
  EXPECT_EQ(command.Output().size(), 60'000u);
  EXPECT_EQ(command.Errors().size(), 60'000u);
}

TEST_F(ExecTest, DoesNotWaitForAChildThatHoldsTheOutputOpen) {
  const auto start = std::chrono::steady_clock::now();
  Command command(ExecUrl("sleep 60 & echo $!", kOutput), kOutput);
  EXPECT_EQ(command.Status(), kSuccess);
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(5));
  kill(std::stoi(command.Output()), SIGKILL);
}

TEST_F(ExecTest, TellsAClientThatItsInputIsNotRead) {
  Command command(ExecUrl("exec 0<&-; echo closed; sleep 60", kAll), kAll);
  ASSERT_TRUE(command.AwaitOutput("closed"));
  command.client->Send(command.in, "unwanted");
  EXPECT_TRUE(command.client->AwaitEnd(command.in));
}

TEST_F(ExecTest, CarriesATerminalAndItsSize) {
  Command command(
      ExecUrl("stty -echo; echo ready; read line; stty size; echo got $line", kTerminal),
      kTerminal);
  ASSERT_TRUE(command.AwaitOutput("ready"));
  command.client->Send(command.resize, R"({"Width":132,)");
  command.client->Send(command.resize, R"("Height":43})");
  ASSERT_TRUE(command.client->RunUntil([&] { return command.client->unsent() == 0; }));
  ASSERT_TRUE(Eventually([&] { return target_.sizes().size() == 1; }));
  command.client->Send(command.in, "word\n");
  EXPECT_EQ(command.Status(), kSuccess);
  EXPECT_THAT(command.Output(), HasSubstr("43 132"));
  EXPECT_THAT(command.Output(), HasSubstr("got word"));
}

TEST_F(ExecTest, EndsTheProcessesPartWhenTheClientLeaves) {
  {
    Command command(ExecUrl("echo up; cat", kAll), kAll);
    ASSERT_TRUE(command.AwaitOutput("up"));
    EXPECT_EQ(target_.running, 1);
  }
  EXPECT_TRUE(Eventually([&] { return target_.running == 0; }));
}

// kubectl pings every few seconds while it writes what it has slowly.
TEST_F(ExecTest, AClientThatReadsSlowlyAndSendsGetsAllAndTheStatus) {
  constexpr size_t kSize = 6'000'000;
  Command command(ExecUrl("head -c 6000000 /dev/zero; exit 7", kAll), kAll);
  for (size_t part = 1; part <= 4; ++part) {
    ASSERT_TRUE(command.client->RunUntil(
        [&] { return command.client->stream(command.out).data.size() >= part * 500'000; }));
    command.client->Send(command.in, "x");
    std::this_thread::sleep_for(seconds(2));  // In all longer than a client may linger.
  }
  EXPECT_THAT(command.Status(), HasSubstr("NonZeroExitCode"));
  EXPECT_EQ(command.Output().size(), kSize);
}

TEST_F(ExecTest, NoticesAClientThatLeavesWhileItsInputIsStuck) {
  {
    Command command(ExecUrl("echo up; sleep 60", kAll), kAll);
    ASSERT_TRUE(command.AwaitOutput("up"));
    command.client->Send(command.in, std::string(16 << 20, 'x'));
    command.client->PushBlindly(milliseconds(300));
    EXPECT_GT(command.client->unsent(), 0u) << "all was taken, though nobody reads it";
  }
  EXPECT_TRUE(Eventually([&] { return target_.running == 0; }));
}

TEST_F(ExecTest, DropsAClientThatDoesNotOpenItsStreams) {
  Restart({.creation_timeout = milliseconds(200)});
  auto client = SpdyClient::Dial(ExecUrl("true", kAll), {"v4.channel.k8s.io"});
  ASSERT_TRUE(client.ok()) << client.status();
  (*client)->Open({{"streamtype", "error"}});
  (*client)->RunUntil([] { return false; }, seconds(10));
  EXPECT_TRUE((*client)->closed());
  EXPECT_EQ(target_.running, 0);
}

TEST_F(ExecTest, DropsAClientOnceNothingMoves) {
  Restart({.idle_timeout = milliseconds(300)});
  Command command(ExecUrl("sleep 60", kAll), kAll);
  command.client->RunUntil([] { return false; }, seconds(10));
  EXPECT_TRUE(command.client->closed());
  EXPECT_TRUE(Eventually([&] { return target_.running == 0; }));
}

TEST_F(ExecTest, RefusesStreamsThatWereNotAskedForOrTwice) {
  auto client = SpdyClient::Dial(ExecUrl("true", kOutput), {"v4.channel.k8s.io"});
  ASSERT_TRUE(client.ok()) << client.status();
  for (const char* type : {"stdin", "resize", "data", "", "STDOUT"}) {
    EXPECT_TRUE((*client)->stream((*client)->Open({{"streamtype", type}})).reset) << type;
  }
  EXPECT_TRUE((*client)->stream((*client)->Open({})).reset);
  EXPECT_TRUE((*client)->stream((*client)->Open({{"streamtype", "stdout"}})).replied);
  EXPECT_TRUE((*client)->stream((*client)->Open({{"streamtype", "stdout"}})).reset);
}

TEST_F(ExecTest, AMalformedResizeIsNotPassedOn) {
  Command command(ExecUrl("stty -echo; echo up; read line", kTerminal), kTerminal);
  ASSERT_TRUE(command.AwaitOutput("up"));
  command.client->Send(command.resize, R"({"Width":-1,"Height":3}{"Width":1,"Height":2})");
  command.client->Send(command.in, "\n");
  EXPECT_EQ(command.Status(), kSuccess);
  EXPECT_EQ(target_.sizes().size(), 0u);
}

TEST_F(ExecTest, CarriesInputAndOutputsOverWebSocket) {
  auto client = WebSocketClient::Dial(ExecUrl("cat; echo problem >&2; exit 3", kAll),
                                      {"v5.channel.k8s.io", "v4.channel.k8s.io"});
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_EQ((*client)->protocol(), "v5.channel.k8s.io");
  EXPECT_EQ(*(*client)->Receive(), std::string(1, '\1')) << "tells that it is connected";
  ASSERT_TRUE((*client)->Send(std::string_view("\0hello", 6)).ok());
  ASSERT_TRUE((*client)->Send(std::string_view("\xff\0", 2)).ok());
  auto channels = (*client)->ReceiveAll();
  ASSERT_TRUE(channels.ok()) << channels.status();
  EXPECT_EQ((*channels)['\1'], "hello");
  EXPECT_EQ((*channels)['\2'], "problem\n");
  EXPECT_EQ(json::parse((*channels)['\3'])["details"]["causes"][0]["message"], "3");
}

TEST_F(ExecTest, CarriesBase64OverWebSocket) {
  auto client =
      WebSocketClient::Dial(ExecUrl("head -c 5; exit 3", kAll), {"base64.channel.k8s.io"});
  ASSERT_TRUE(client.ok()) << client.status();
  ASSERT_TRUE((*client)->Send("0aGVs", true).ok());
  ASSERT_TRUE((*client)->Send("0bG8=", true).ok());
  auto channels = (*client)->ReceiveAll();
  ASSERT_TRUE(channels.ok()) << channels.status();
  EXPECT_EQ((*channels)['1'], "aGVsbG8=");
  EXPECT_EQ((*channels)['3'].substr(0, 8), "Y29tbWFu") << "a sentence";
}

TEST_F(ExecTest, AWebSocketClientThatLeavesEndsItsPart) {
  {
    auto client = WebSocketClient::Dial(ExecUrl("cat", kAll), {"v4.channel.k8s.io"});
    ASSERT_TRUE(client.ok()) << client.status();
    ASSERT_TRUE(Eventually([&] { return target_.running == 1; }));
  }
  EXPECT_TRUE(Eventually([&] { return target_.running == 0; }));
}

TEST_F(ExecTest, OutputOverWebSocketGoesInMessagesOfSomeSize) {
  for (const char* protocol : {"v4.channel.k8s.io", "v4.base64.channel.k8s.io"}) {
    auto client = WebSocketClient::Dial(ExecUrl("head -c 2000000 /dev/zero", kOutput), {protocol});
    ASSERT_TRUE(client.ok()) << client.status();
    int messages = 0;
    while ((*client)->Receive().ok()) ++messages;
    EXPECT_LT(messages, 1000) << protocol;
  }
}

TEST_F(ExecTest, AWebSocketClientWithMalformedMessagesIsDropped) {
  auto client = WebSocketClient::Dial(ExecUrl("cat", kAll), {"v4.base64.channel.k8s.io"});
  ASSERT_TRUE(client.ok()) << client.status();
  ASSERT_TRUE((*client)->Send("0***", true).ok());
  EXPECT_FALSE((*client)->ReceiveAll().ok());
  EXPECT_TRUE(Eventually([&] { return target_.running == 0; }));
}

TEST_F(ExecTest, AttachTellsOnlyThatItIsOver) {
  target_.attach_script = "cat; exit 7";
  Command command(Url(AttachRequest{"c", kAll}), kAll);
  command.client->Send(command.in, "to and fro");
  command.client->End(command.in);
  EXPECT_EQ(command.Status(), kSuccess);
  EXPECT_EQ(command.Output(), "to and fro");
}

TEST_F(ExecTest, TwoHundredSessionsAtOnceEndAndLeaveNothing) {
  const size_t descriptors = OpenDescriptors();
  {
    std::vector<std::unique_ptr<Command>> commands;
    for (int i = 0; i < 200; ++i) {
      commands.push_back(std::make_unique<Command>(ExecUrl("cat", kAll), kAll));
    }
    for (auto& command : commands) {
      command->client->Send(command->in, "x");
      command->client->End(command->in);
    }
    for (auto& command : commands) {
      EXPECT_EQ(command->Status(), kSuccess);
      EXPECT_EQ(command->Output(), "x");
    }
  }
  EXPECT_TRUE(Eventually([&] { return target_.running == 0; }));
  EXPECT_TRUE(Eventually([&] { return OpenDescriptors() <= descriptors; }))
      << OpenDescriptors() << " descriptors, " << descriptors << " before";
}

}  // namespace
}  // namespace bulkhead::streaming
