#include "shim/streaming/spdy/frame.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bulkhead::spdy {
namespace {

using ::testing::ElementsAre;

// Writes down what it is told.
class Notes : public FrameSink {
 public:
  bool OnControlFrame(FrameType type, uint8_t flags, std::string_view payload) override {
    lines.push_back("control " + std::to_string(static_cast<int>(type)) + " " +
                    std::to_string(flags) + " " + std::to_string(payload.size()));
    return go_on;
  }
  bool OnDataFrame(StreamId stream, std::string_view piece, bool last, bool fin) override {
    data += piece;
    if (last) lines.push_back("data " + std::to_string(stream) + (fin ? " fin" : ""));
    return go_on;
  }

  std::vector<std::string> lines;
  std::string data;
  bool go_on = true;
};

std::string SomeFrames() {
  std::string out;
  WriteDataFrame(1, "hello", false, out);
  WritePing(7, out);
  WriteDataFrame(3, "", true, out);
  WriteRstStream(5, ResetStatus::kCancel, out);
  return out;
}

TEST(FrameReader, SplitsFramesHoweverTheBytesCome) {
  for (size_t step = 1; step < 40; ++step) {
    FrameReader reader;
    Notes notes;
    const std::string bytes = SomeFrames();
    for (size_t at = 0; at < bytes.size(); at += step) {
      ASSERT_TRUE(reader.Read(bytes.substr(at, step), notes));
    }
    EXPECT_THAT(notes.lines, ElementsAre("data 1", "control 6 0 4", "data 3 fin", "control 3 0 8"));
    EXPECT_EQ(notes.data, "hello");
  }
}

TEST(FrameReader, WritesAndReadsTheWireForm) {
  std::string out;
  WriteDataFrame(0x01020304, "ab", true, out);
  EXPECT_EQ(out, std::string("\x01\x02\x03\x04\x01\x00\x00\x02"
                             "ab",
                             10));
  out.clear();
  WriteWindowUpdate(3, 0x10000, out);
  EXPECT_EQ(out,
            std::string("\x80\x03\x00\x09\x00\x00\x00\x08\x00\x00\x00\x03\x00\x01\x00\x00", 16));
}

TEST(FrameReader, RefusesAnotherVersion) {
  FrameReader reader;
  Notes notes;
  EXPECT_FALSE(reader.Read(std::string("\x80\x02\x00\x06\x00\x00\x00\x04", 8), notes));
  EXPECT_FALSE(reader.Read(SomeFrames(), notes));
  EXPECT_THAT(notes.lines, ElementsAre());
}

TEST(FrameReader, RefusesALongControlFrameByItsHeader) {
  FrameReader reader(100);
  Notes notes;
  std::string out;
  WriteControlFrame(FrameType::kSettings, 0, std::string(100, '\0'), out);
  EXPECT_TRUE(reader.Read(out, notes));
  EXPECT_FALSE(reader.Read(std::string("\x80\x03\x00\x04\x00\x00\x00\x65", 8), notes));
}

TEST(FrameReader, StopsWhenItsSinkSaysSo) {
  FrameReader reader;
  Notes notes;
  notes.go_on = false;
  EXPECT_FALSE(reader.Read(SomeFrames(), notes));
  EXPECT_THAT(notes.lines, ElementsAre("data 1"));
}

}  // namespace
}  // namespace bulkhead::spdy
