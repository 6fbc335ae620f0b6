#include "runtime/supervisor/log_format.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace bulkhead::supervisor {
namespace {

constexpr std::string_view kTime = "2026-11-23T07:00:00.000000001Z";

std::string Format(LogFormatter& formatter, std::string_view bytes) {
  LogBuffer out;
  std::string all;
  while (!bytes.empty()) {
    bytes.remove_prefix(formatter.Append(bytes, kTime, out));
    all += out.content();
    out.Clear();
  }
  return all;
}

std::string Finish(LogFormatter& formatter) {
  LogBuffer out;
  EXPECT_TRUE(formatter.Finish(kTime, out));
  return std::string(out.content());
}

std::string Record(char tag, std::string_view payload) {
  return std::string(kTime) + " stdout " + tag + " " + std::string(payload) + "\n";
}

// What a reader makes of the records: payloads joined, a newline after each F.
std::string Join(std::string_view log) {
  std::string joined;
  while (!log.empty()) {
    const size_t tag = LogFormatter::kHeaderSize - 2;
    // Payloads may hold any byte but the newline, so records are found by it.
    const size_t end = log.find('\n');
    joined += log.substr(LogFormatter::kHeaderSize, end - LogFormatter::kHeaderSize);
    if (log[tag] == 'F') joined += '\n';
    log.remove_prefix(end + 1);
  }
  return joined;
}

TEST(Timestamp, IsRfc3339WithNineDigits) {
  const auto text = FormatTimestamp(1795417200'000000042);
  EXPECT_EQ(std::string(text.data(), text.size()), "2026-11-23T07:00:00.000000042Z");
}

TEST(Timestamp, KnowsLeapDays) {
  const auto text = FormatTimestamp(1709251199'999999999);
  EXPECT_EQ(std::string(text.data(), text.size()), "2024-02-29T23:59:59.999999999Z");
}

TEST(LogFormatter, TagsWholeLinesFull) {
  LogFormatter formatter("stdout");
  EXPECT_EQ(Format(formatter, "one\n\ntwo\n"),
            Record('F', "one") + Record('F', "") + Record('F', "two"));
}

TEST(LogFormatter, KeepsAnUnfinishedLineUntilItsNewline) {
  LogFormatter formatter("stdout");
  EXPECT_EQ(Format(formatter, "on"), "");
  EXPECT_EQ(formatter.partial(), "on");
  EXPECT_EQ(Format(formatter, "e\ntw"), Record('F', "one"));
}

TEST(LogFormatter, TagsTheUnfinishedLastLinePartial) {
  LogFormatter formatter("stdout");
  Format(formatter, "rest");
  EXPECT_EQ(Finish(formatter), Record('P', "rest"));
  EXPECT_EQ(Finish(formatter), "");
}

TEST(LogFormatter, DoesNotSplitALineOfExactlyTheLimit) {
  LogFormatter formatter("stdout");
  const std::string line(kMaxLogLine, 'x');
  EXPECT_EQ(Format(formatter, line), "");
  EXPECT_EQ(Format(formatter, "\n"), Record('F', line));
}

TEST(LogFormatter, SplitsALongerLineAtTheLimit) {
  LogFormatter formatter("stdout");
  const std::string part(kMaxLogLine, 'x');
  EXPECT_EQ(Format(formatter, part + part + "y\n"),
            Record('P', part) + Record('P', part) + Record('F', "y"));
}

TEST(LogFormatter, SplitsAtTheSamePlaceHoweverTheBytesArrive) {
  const std::string line(3 * kMaxLogLine + 5, 'x');
  LogFormatter whole("stdout");
  const std::string expected = Format(whole, line + "\n");
  LogFormatter pieces("stdout");
  std::string log;
  for (size_t i = 0; i < line.size(); i += 777) log += Format(pieces, line.substr(i, 777));
  log += Format(pieces, "\n");
  EXPECT_EQ(log, expected);
}

TEST(LogFormatter, LosesNoByteOfBinaryOutput) {
  std::mt19937 random(7);
  std::string bytes(1 << 20, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  LogFormatter formatter("stdout");
  std::string log;
  for (size_t i = 0; i < bytes.size(); i += 65536) {
    log += Format(formatter, std::string_view(bytes).substr(i, 65536));
  }
  log += Finish(formatter);
  EXPECT_EQ(Join(log), bytes);
}

TEST(LogFormatter, TakesOnlyWhatFitsTheBuffer) {
  LogFormatter formatter("stdout");
  LogBuffer out;
  const std::string newlines(64 * 1024, '\n');
  const size_t taken = formatter.Append(newlines, kTime, out);
  EXPECT_LT(taken, newlines.size());
  EXPECT_EQ(out.content().size(), taken * (LogFormatter::kHeaderSize + 1));
}

}  // namespace
}  // namespace bulkhead::supervisor
