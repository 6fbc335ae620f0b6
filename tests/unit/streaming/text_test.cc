// What is read and written as text: statuses, sizes of terminals, names of protocols.
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "shim/streaming/exit_message.h"
#include "shim/streaming/protocols.h"
#include "shim/streaming/resize.h"

namespace bulkhead::streaming {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(ExitMessage, IsAStatusAsKubernetesHasIt) {
  EXPECT_EQ(ExitMessage(0, true), R"({"metadata":{},"status":"Success"})");
  EXPECT_EQ(ExitMessage(137, true),
            R"({"metadata":{},"status":"Failure",)"
            R"("message":"command terminated with non-zero exit code: 137",)"
            R"("reason":"NonZeroExitCode",)"
            R"("details":{"causes":[{"reason":"ExitCode","message":"137"}]}})");
  EXPECT_EQ(ExitMessage(absl::NotFoundError("no \xff"), true),
            R"({"metadata":{},"status":"Failure","message":"Internal error occurred: )"
            R"(error executing command in container: no )"
            "\xef\xbf\xbd"
            R"(","reason":"InternalError","details":{"causes":[{"message":)"
            R"("error executing command in container: no )"
            "\xef\xbf\xbd"
            R"("}]},"code":500})");
}

TEST(ExitMessage, IsASentenceForOlderClients) {
  EXPECT_EQ(ExitMessage(0, false), "");
  EXPECT_EQ(ExitMessage(1, false), "command terminated with non-zero exit code: 1");
  EXPECT_EQ(ExitMessage(absl::NotFoundError("x"), false),
            "error executing command in container: x");
}

TEST(ResizeReader, TakesTheLastSizeOfWhatCame) {
  ResizeReader reader;
  EXPECT_FALSE(reader.Read("{\"Width\":80"));
  auto size = reader.Read(",\"Height\":24}\n{\"Width\":1,\"Height\":2}\n{");
  ASSERT_TRUE(size);
  EXPECT_EQ(size->width, 1);
  EXPECT_EQ(size->height, 2);
  size = reader.Read("\"Width\":65535,\"Height\":1}");
  ASSERT_TRUE(size);
  EXPECT_EQ(size->width, 65535);
  EXPECT_FALSE(reader.Read("{\"Width\":0,\"Height\":0}{\"Width\":80}")) << "no size";
  EXPECT_TRUE(reader.Read("{\"Width\":1,\"Height\":2}"));
}

TEST(ResizeReader, ReadsNothingAfterSomethingMalformed) {
  for (const char* bad : {"}", "[]}", "{\"Width\":65536}", "{\"Width\":-1}", "{\"Width\":\"1\"}",
                          "{\"Width\":1.5}", "{\"Height\":{}", "\xff}"}) {
    ResizeReader reader;
    EXPECT_FALSE(reader.Read(bad)) << bad;
    EXPECT_FALSE(reader.Read("{\"Width\":1,\"Height\":2}")) << bad;
  }
  ResizeReader reader;
  EXPECT_FALSE(reader.Read(std::string(100'000, ' ')));
  EXPECT_FALSE(reader.Read("{\"Width\":1,\"Height\":2}"));
}

TEST(SplitList, DropsBlanksAndEmptyValues) {
  EXPECT_THAT(SplitList(" a , b,,c "), ElementsAre("a", "b", "c"));
  EXPECT_THAT(SplitList(""), IsEmpty());
}

TEST(Protocols, AreChosenInTheClientsOrder) {
  EXPECT_EQ(ChooseSpdyCommand({"x", "v2.channel.k8s.io", "v4.channel.k8s.io"})->version, 2);
  EXPECT_EQ(ChooseSpdyCommand({"channel.k8s.io"})->version, 1);
  EXPECT_FALSE(ChooseSpdyCommand({}));
  EXPECT_FALSE(ChooseSpdyCommand({"v1.channel.k8s.io", "v6.channel.k8s.io", ""}));
  EXPECT_EQ(ChooseWebSocketCommand({})->name, "");
  EXPECT_TRUE(ChooseWebSocketCommand({"v4.base64.channel.k8s.io"})->base64);
  EXPECT_TRUE(ChooseWebSocketCommand({"v5.channel.k8s.io"})->has_json_status());
  EXPECT_FALSE(ChooseWebSocketCommand({"v3.channel.k8s.io"})->has_json_status());
  EXPECT_TRUE(ChooseWebSocketPortForward({"SPDY/3.1+portforward.k8s.io"})->tunnel);
  EXPECT_FALSE(ChooseWebSocketPortForward({"v4.channel.k8s.io"})->tunnel);
  EXPECT_TRUE(ChooseWebSocketPortForward({"base64.channel.k8s.io"})->base64);
  EXPECT_FALSE(ChooseWebSocketPortForward({"portforward.k8s.io"}));
}

}  // namespace
}  // namespace bulkhead::streaming
