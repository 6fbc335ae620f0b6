#include "shim/streaming/channel_codec.h"

#include <map>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bulkhead::streaming {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

class Notes : public ChannelSink {
 public:
  void OnChannelData(uint8_t channel, std::string_view data) override { got[channel] += data; }
  void OnChannelClose(uint8_t channel) override { got[channel] += "<end>"; }
  std::map<int, std::string> got;
};

TEST(ChannelReader, ReadsMessagesInAnyPieces) {
  const std::string message("\1hello", 6);
  for (size_t step = 1; step <= message.size(); ++step) {
    ChannelReader reader(false, false);
    Notes notes;
    for (size_t at = 0; at < message.size(); at += step) {
      ASSERT_TRUE(reader.Read(message.substr(at, step), at + step >= message.size(), notes));
    }
    ASSERT_TRUE(reader.Read(std::string_view("\0x", 2), true, notes));
    EXPECT_THAT(notes.got, ElementsAre(Pair(0, "x"), Pair(1, "hello")));
  }
}

TEST(ChannelReader, ReadsBase64InAnyPieces) {
  const std::string message = "3aGVsbG8gd29ybGQ=";
  for (size_t step = 1; step <= message.size(); ++step) {
    ChannelReader reader(true, false);
    Notes notes;
    for (size_t at = 0; at < message.size(); at += step) {
      ASSERT_TRUE(reader.Read(message.substr(at, step), at + step >= message.size(), notes));
    }
    EXPECT_THAT(notes.got, ElementsAre(Pair(3, "hello world"))) << step;
  }
}

TEST(ChannelReader, RefusesMalformedBase64) {
  for (const char* message : {"0*", "0aGV", "0aGVsb===", "0aG=sbG8g",
                              "0====", "0bG8=bG8=", "0 aGVsbG", "0aGVs\nbG8", "0aG-_"}) {
    ChannelReader reader(true, false);
    Notes notes;
    EXPECT_FALSE(reader.Read(message, true, notes)) << message;
    EXPECT_FALSE(reader.Read("0aGVs", true, notes)) << "nothing after a failure";
  }
}

TEST(ChannelReader, ReadsTheEndOfAChannelFromVersionFiveOn) {
  Notes notes;
  ChannelReader five(false, true);
  EXPECT_TRUE(five.Read(std::string_view("\xff\0", 2), true, notes));
  EXPECT_THAT(notes.got, ElementsAre(Pair(0, "<end>")));
  EXPECT_FALSE(five.Read("\xff", true, notes)) << "of no channel";
  ChannelReader again(false, true);
  EXPECT_FALSE(again.Read(std::string_view("\xff\0\0", 3), true, notes)) << "of two channels";
  ChannelReader four(false, false);
  notes.got.clear();
  EXPECT_TRUE(four.Read(std::string_view("\xff\0", 2), true, notes));
  EXPECT_THAT(notes.got, ElementsAre(Pair(255, std::string(1, '\0'))));
}

TEST(ChannelReader, EmptyMessagesSayNothing) {
  for (const bool base64 : {false, true}) {
    ChannelReader reader(base64, false);
    Notes notes;
    EXPECT_TRUE(reader.Read("", true, notes));
    EXPECT_TRUE(reader.Read("0", true, notes));
    EXPECT_THAT(notes.got, IsEmpty());
  }
}

TEST(EncodeChannelMessage, PutsTheChannelBeforeTheData) {
  EXPECT_EQ(EncodeChannelMessage(2, "hi", false), "\2hi");
  EXPECT_EQ(EncodeChannelMessage(2, "hi", true), "2aGk=");
  EXPECT_EQ(EncodeChannelMessage(1, "", true), "1");
}

}  // namespace
}  // namespace bulkhead::streaming
