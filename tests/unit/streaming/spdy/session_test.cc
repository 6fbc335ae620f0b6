#include "shim/streaming/spdy/session.h"

#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "shim/streaming/spdy/wire.h"

namespace bulkhead::spdy {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Accepts streams, and writes down what happens.
class Owner : public SessionEvents {
 public:
  explicit Owner(Role role, SessionLimits limits = {}) : session(role, limits, *this) {}

  void OnStream(StreamId stream, const Headers& headers) override {
    Note("stream", stream);
    last_headers = headers;
    session.Accept(stream);
  }
  void OnReply(StreamId stream, const Headers&) override { Note("reply", stream); }
  void OnData(StreamId, std::string_view piece) override { data += piece; }
  void OnEnd(StreamId stream) override { Note("end", stream); }
  void OnReset(StreamId stream) override { Note("reset", stream); }
  void OnWindow() override { lines.push_back("window"); }
  void OnGoAway() override { lines.push_back("goaway"); }

  std::vector<std::string> TakeLines() { return std::exchange(lines, {}); }
  std::string TakeOutput() { return std::exchange(session.output(), {}); }

  Session session;
  std::vector<std::string> lines;
  std::string data;
  Headers last_headers;

 private:
  void Note(const char* what, StreamId stream) {
    lines.push_back(std::string(what) + " " + std::to_string(stream));
  }
};

class SessionTest : public ::testing::Test {
 protected:
  // Carries bytes both ways until none are left.
  void Exchange() {
    while (!client_.session.output().empty() || !server_.session.output().empty()) {
      ASSERT_TRUE(server_.session.Receive(client_.TakeOutput()));
      ASSERT_TRUE(client_.session.Receive(server_.TakeOutput()));
    }
  }

  StreamId OpenStream() {
    const StreamId id = client_.session.Open({{"streamtype", "stdin"}});
    Exchange();
    client_.TakeLines();
    server_.TakeLines();
    return id;
  }

  Owner client_{Role::kClient};
  Owner server_{Role::kServer};
};

TEST_F(SessionTest, TellsOnceThatWindowsGrew) {
  // SETTINGS of two entries, the initial window twice.
  const std::string settings("\x80\3\0\4\0\0\0\x14\0\0\0\2\0\0\0\7\0\0\0\1\0\0\0\7\0\1\0\0", 28);
  ASSERT_TRUE(server_.session.Receive(settings + settings));
  EXPECT_THAT(server_.TakeLines(), ElementsAre("window"));
}

TEST_F(SessionTest, OpensCarriesAndHalfClosesAStream) {
  const StreamId id = client_.session.Open({{"streamtype", "stdin"}});
  Exchange();
  EXPECT_THAT(server_.TakeLines(), ElementsAre("stream 1"));
  EXPECT_THAT(client_.TakeLines(), ElementsAre("reply 1"));
  EXPECT_EQ(server_.last_headers, (Headers{{"streamtype", "stdin"}}));

  client_.session.Send(id, "to the server");
  client_.session.End(id);
  Exchange();
  EXPECT_EQ(server_.data, "to the server");
  EXPECT_THAT(server_.TakeLines(), ElementsAre("end 1"));
  EXPECT_TRUE(server_.session.IsOpen(id));

  server_.session.Send(id, "and back");
  server_.session.End(id);
  Exchange();
  EXPECT_EQ(client_.data, "and back");
  EXPECT_FALSE(server_.session.IsOpen(id));
  EXPECT_FALSE(client_.session.IsOpen(id));
}

TEST_F(SessionTest, AnswersPingsAndNotItsOwn) {
  client_.session.Ping();
  const std::string ping = client_.TakeOutput();
  ASSERT_TRUE(server_.session.Receive(ping));
  EXPECT_EQ(server_.TakeOutput(), ping);
  ASSERT_TRUE(client_.session.Receive(ping));
  EXPECT_THAT(client_.TakeOutput(), IsEmpty());
}

TEST_F(SessionTest, AResetEndsAStreamBothWays) {
  const StreamId id = OpenStream();
  client_.session.Reset(id, ResetStatus::kCancel);
  Exchange();
  EXPECT_THAT(server_.TakeLines(), ElementsAre("reset 1"));
  EXPECT_FALSE(server_.session.IsOpen(id));
  server_.session.Send(id, "too late");
  server_.session.End(id);
  EXPECT_THAT(server_.TakeOutput(), IsEmpty());
}

TEST_F(SessionTest, SendsWithoutLimitToAClientThatKeepsNoWindows) {
  const StreamId id = OpenStream();
  server_.session.Send(id, std::string(1 << 20, 'x'));
  EXPECT_GT(server_.session.SendWindow(id), size_t{1} << 30);
}

TEST_F(SessionTest, KeepsToTheWindowsOfAPeerThatKeepsThem) {
  std::string settings;
  Put32(1, settings);
  Put32(kSettingsInitialWindowSize, settings);
  Put32(1000, settings);
  std::string frame;
  WriteControlFrame(FrameType::kSettings, 0, settings, frame);
  ASSERT_TRUE(server_.session.Receive(frame));
  const StreamId id = OpenStream();
  EXPECT_EQ(server_.session.SendWindow(id), 1000u);
  server_.session.Send(id, std::string(1000, 'x'));
  EXPECT_EQ(server_.session.SendWindow(id), 0u);

  frame.clear();
  WriteWindowUpdate(id, 10, frame);
  ASSERT_TRUE(server_.session.Receive(frame));
  EXPECT_EQ(server_.session.SendWindow(id), 10u);
  EXPECT_THAT(server_.TakeLines(), ElementsAre("window"));

  frame.clear();
  WriteWindowUpdate(0, 5,
                    frame);  // From now on there are 64 KiB, less 1000, and 5 for all streams.
  ASSERT_TRUE(server_.session.Receive(frame));
  frame.clear();
  WriteWindowUpdate(id, 1 << 20, frame);
  ASSERT_TRUE(server_.session.Receive(frame));
  EXPECT_EQ(server_.session.SendWindow(id), 65536u - 1000 + 5);
}

TEST_F(SessionTest, RemembersWhatWasSentBeforeTheFirstWindowUpdate) {
  const StreamId id = OpenStream();
  server_.session.Send(id, std::string(100'000, 'x'));
  std::string frame;
  WriteWindowUpdate(id, 40'000, frame);
  ASSERT_TRUE(server_.session.Receive(frame));
  EXPECT_EQ(server_.session.SendWindow(id), 65536u + 40'000 - 100'000);
}

TEST_F(SessionTest, AWindowThatOverflowsEndsItsStreamOrTheSession) {
  const StreamId id = OpenStream();
  std::string frame;
  WriteWindowUpdate(id, 0x7fffffff, frame);
  ASSERT_TRUE(server_.session.Receive(frame));
  EXPECT_FALSE(server_.session.IsOpen(id));
  EXPECT_THAT(server_.TakeLines(), ElementsAre("reset 1"));
  frame.clear();
  WriteWindowUpdate(0, 0x7fffffff, frame);
  EXPECT_FALSE(server_.session.Receive(frame));
}

TEST_F(SessionTest, GivesTheWindowBackAsDataIsConsumed) {
  const StreamId id = OpenStream();
  client_.session.Send(id, std::string(60'000, 'x'));
  ASSERT_TRUE(server_.session.Receive(client_.TakeOutput()));
  EXPECT_THAT(server_.TakeOutput(), IsEmpty());
  server_.session.Consumed(id, 60'000);
  ASSERT_TRUE(client_.session.Receive(server_.TakeOutput()));
  EXPECT_EQ(client_.session.SendWindow(id), 65536u);
}

TEST_F(SessionTest, IsCongestedWhileAStreamHoldsMoreThanItsWindow) {
  const StreamId id = OpenStream();
  client_.session.Send(id, std::string(65536, 'x'));
  ASSERT_TRUE(server_.session.Receive(client_.TakeOutput()));
  EXPECT_FALSE(server_.session.congested());
  client_.session.Send(id, "y");
  ASSERT_TRUE(server_.session.Receive(client_.TakeOutput()));
  EXPECT_TRUE(server_.session.congested());
  server_.session.Consumed(id, 1);
  EXPECT_FALSE(server_.session.congested());
  client_.session.Send(id, "y");
  ASSERT_TRUE(server_.session.Receive(client_.TakeOutput()));
  server_.session.Reset(id, ResetStatus::kCancel);
  EXPECT_FALSE(server_.session.congested());
}

TEST_F(SessionTest, RefusesStreamsBeyondTheLimitAndTakesOthersOnceThereIsRoom) {
  SessionLimits limits;
  limits.streams = 2;
  Owner server(Role::kServer, limits);
  for (int i = 0; i < 3; ++i) client_.session.Open({});
  ASSERT_TRUE(server.session.Receive(client_.TakeOutput()));
  EXPECT_THAT(server.TakeLines(), ElementsAre("stream 1", "stream 3"));
  ASSERT_TRUE(client_.session.Receive(server.TakeOutput()));
  EXPECT_THAT(client_.TakeLines(), ElementsAre("reply 1", "reply 3", "reset 5"));
  client_.session.Reset(1, ResetStatus::kCancel);
  client_.session.Open({});
  ASSERT_TRUE(server.session.Receive(client_.TakeOutput()));
  EXPECT_THAT(server.TakeLines(), ElementsAre("reset 1", "stream 7"));
}

TEST_F(SessionTest, RefusesAStreamThatTakesNoAnswer) {
  const StreamId id = client_.session.Open({{"streamtype", "error"}});
  std::string frame = client_.TakeOutput();
  frame[4] |= kFlagUnidirectional | kFlagFin;
  ASSERT_TRUE(server_.session.Receive(frame));
  EXPECT_THAT(server_.lines, IsEmpty());
  Exchange();
  EXPECT_THAT(client_.lines, ElementsAre("reset " + std::to_string(id)));
}

TEST_F(SessionTest, TenThousandStreamsOfOneSessionLeaveNothingBehind) {
  for (int i = 0; i < 10'000; ++i) {
    const StreamId id = client_.session.Open({{"port", std::to_string(i)}});
    client_.session.End(id);
    Exchange();
    server_.session.End(id);
    Exchange();
    ASSERT_EQ(server_.session.open_streams(), 0u);
    ASSERT_EQ(client_.session.open_streams(), 0u);
  }
}

TEST_F(SessionTest, IgnoresDataForStreamsThatWereAndResetsThoseThatNeverWere) {
  const StreamId id = OpenStream();
  server_.session.Reset(id, ResetStatus::kCancel);
  server_.TakeOutput();
  std::string frames;
  WriteDataFrame(id, "x", false, frames);
  ASSERT_TRUE(server_.session.Receive(frames));
  EXPECT_THAT(server_.TakeOutput(), IsEmpty());
  frames.clear();
  WriteDataFrame(99, "x", false, frames);
  std::string reset;
  WriteRstStream(99, ResetStatus::kInvalidStream, reset);
  ASSERT_TRUE(server_.session.Receive(frames));
  EXPECT_EQ(server_.TakeOutput(), reset);
}

TEST_F(SessionTest, EndsItselfWithAGoAwayWhenTheProtocolIsBroken) {
  const auto refused = [](FrameType type, const std::string& payload) {
    Owner server(Role::kServer);
    std::string frame;
    WriteControlFrame(type, 0, payload, frame);
    const bool failed = !server.session.Receive(frame);
    std::string go_away;
    WriteGoAway(0, GoAwayStatus::kProtocolError, go_away);
    return failed && server.TakeOutput() == go_away && !server.session.Receive(frame);
  };
  const std::string zero(8, '\0');
  EXPECT_TRUE(refused(FrameType::kSynStream, ""));
  EXPECT_TRUE(refused(FrameType::kSynStream, std::string(20, '\0')));
  EXPECT_TRUE(refused(FrameType::kSynReply, zero));
  EXPECT_TRUE(refused(FrameType::kHeaders, zero));
  EXPECT_TRUE(refused(FrameType::kRstStream, "123"));
  EXPECT_TRUE(refused(FrameType::kSettings, ""));
  EXPECT_TRUE(refused(FrameType::kSettings, std::string("\xff\xff\xff\xff", 4)));
  EXPECT_TRUE(refused(FrameType::kPing, ""));
  EXPECT_TRUE(refused(FrameType::kGoAway, "1"));
  EXPECT_TRUE(refused(FrameType::kWindowUpdate, zero)) << "a growth of nothing";
}

TEST_F(SessionTest, IgnoresNewStreamsAfterAGoAway) {
  server_.session.GoAway(GoAwayStatus::kOk);
  server_.TakeOutput();
  client_.session.Open({});
  ASSERT_TRUE(server_.session.Receive(client_.TakeOutput()));
  EXPECT_THAT(server_.TakeLines(), IsEmpty());
}

TEST_F(SessionTest, AnIdOutOfOrderIsRefusedAndTheSessionGoesOn) {
  HeaderWriter headers;
  std::string frames;
  WriteSynStream(3, false, headers.Write({{"a", "b"}}), frames);
  WriteSynStream(1, false, headers.Write({{"c", "d"}}), frames);
  WriteSynStream(5, false, headers.Write({{"e", "f"}}), frames);
  ASSERT_TRUE(server_.session.Receive(frames));
  EXPECT_THAT(server_.TakeLines(), ElementsAre("stream 3", "stream 5"));
  EXPECT_EQ(server_.last_headers, (Headers{{"e", "f"}}));
  std::string reset;
  WriteRstStream(1, ResetStatus::kProtocolError, reset);
  EXPECT_NE(server_.TakeOutput().find(reset), std::string::npos);
}

}  // namespace
}  // namespace bulkhead::spdy
