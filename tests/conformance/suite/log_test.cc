// Container logs, byte for byte.
#include "tests/conformance/fixture/pod_test.h"

namespace bulkhead::fixture {
namespace {

using client::LogLine;
using client::StreamOf;

constexpr size_t kMaxContent = 16 * 1024;

class LogFile : public PodTest {
 protected:
  std::vector<LogLine> LogOf(const v1::ContainerConfig& config) {
    const std::string id = Start(RunPod(), config);
    AwaitExit(id);
    return Log(id);
  }
  static std::string Numbered(int count, size_t size) {
    std::string text;
    for (int i = 0; i < count; ++i) {
      char number[16];
      snprintf(number, sizeof number, "%010d ", i);
      text += number + std::string(size - 12, 'x') + '\n';
    }
    return text;
  }
};

TEST_F(LogFile, HasALineAWriteOfEachStream) {
  auto lines = LogOf(Shell("echo one; echo two >&2"));
  EXPECT_EQ(StreamOf(lines, "stdout"), "one\n");
  EXPECT_EQ(StreamOf(lines, "stderr"), "two\n");
}

TEST_F(LogFile, KeepsTheOrderWithinAStreamAndItsTimesGrow) {
  auto lines = LogOf(Shell("for i in 1 2 3 4 5; do echo $i; done"));
  EXPECT_EQ(StreamOf(lines, "stdout"), "1\n2\n3\n4\n5\n");
  for (size_t i = 1; i < lines.size(); ++i) EXPECT_LE(lines[i - 1].time, lines[i].time);
}

TEST_F(LogFile, KeepsEveryByteButTheLineFeed) {
  auto lines = LogOf(Command({"probe", "binary"}));
  std::string expected;
  for (int i = 0; i < 512; ++i) {
    if (i % 256 != '\n') expected += static_cast<char>(i);
  }
  EXPECT_EQ(StreamOf(lines, "stdout"), expected + "\n");
}

TEST_F(LogFile, SplitsALongLineAt16Kibibytes) {
  auto lines = LogOf(Shell("head -c 40000 /dev/zero | tr '\\0' a; echo; echo next"));
  ASSERT_GE(lines.size(), 4u);
  EXPECT_EQ(StreamOf(lines, "stdout"), std::string(40000, 'a') + "\nnext\n");
  EXPECT_TRUE(lines[0].partial);
  for (const LogLine& line : lines) EXPECT_LE(line.content.size(), kMaxContent);
  EXPECT_FALSE(lines.back().partial);
}

TEST_F(LogFile, ALineOfExactly16KibibytesIsWhole) {
  auto lines = LogOf(Shell("head -c 16384 /dev/zero | tr '\\0' b; echo"));
  std::string content;
  for (const LogLine& line : lines) content += line.content;
  EXPECT_EQ(content, std::string(16384, 'b'));
  EXPECT_FALSE(lines.back().partial);
}

TEST_F(LogFile, KeepsAnUnfinishedLastLine) {
  auto lines = LogOf(Shell("printf 'no end'"));
  std::string content;
  for (const LogLine& line : lines) content += line.content;
  EXPECT_EQ(content, "no end");
}

TEST_F(LogFile, KeepsEmptyLines) {
  EXPECT_EQ(StreamOf(LogOf(Shell("echo; echo; echo x")), "stdout"), "\n\nx\n");
}

TEST_F(LogFile, HasAllOfAFastWritersLines) {
  auto lines = LogOf(Command({"probe", "lines", "100000", "100"}));
  EXPECT_TRUE(StreamOf(lines, "stdout") == Numbered(100000, 100));
}

TEST_F(LogFile, IsReopenedUnderLoadWithoutLosingAByte) {
  const std::string id = Start(RunPod(), Command({"probe", "lines", "200000", "120"}));
  const auto path = LogPath(id);
  std::string all;
  for (int i = 0; i < 5; ++i) {
    const std::string rotated = path.string() + "." + std::to_string(i);
    Await([&] { return std::filesystem::exists(path) && std::filesystem::file_size(path) > 0; },
          "lines in the log");
    std::filesystem::rename(path, rotated);
    auto reopened = cri().ReopenContainerLog(id);
    // Too late for a container that has ended; its last lines are in the file that was renamed.
    EXPECT_TRUE(reopened.ok() || Status(id).state() == v1::CONTAINER_EXITED) << reopened;
    if (!std::filesystem::exists(path)) break;
  }
  AwaitExit(id);
  for (int i = 0; i < 5; ++i) {
    const std::string rotated = path.string() + "." + std::to_string(i);
    if (std::filesystem::exists(rotated)) all += ReadFile(rotated);
  }
  if (std::filesystem::exists(path)) all += ReadFile(path);
  EXPECT_TRUE(StreamOf(Must(client::ParseLog(all)), "stdout") == Numbered(200000, 120));
}

TEST_F(LogFile, ReopenOfAContainerThatDoesNotRunFails) {
  EXPECT_FALSE(cri().ReopenContainerLog(Create(RunPod(), Idle())).ok());
}

TEST_F(LogFile, AContainerWithoutALogPathRuns) {
  auto config = Shell("echo unheard");
  config.clear_log_path();
  EXPECT_EQ(RunToEnd(RunPod(), config).exit_code(), 0);
}

TEST_F(LogFile, OfATerminalHasItsLines) {
  auto config = Shell("echo one; echo two");
  config.set_tty(true);
  // Some runtimes keep the carriage returns that a terminal writes, some do not.
  std::string text = StreamOf(LogOf(config), "stdout");
  std::erase(text, '\r');
  EXPECT_EQ(text, "one\ntwo\n");
}

TEST_F(LogFile, OfTwoContainersIsKeptApart) {
  Pod pod = RunPod();
  const std::string one = Start(pod, Shell("echo one"));
  const std::string two = Start(pod, Shell("echo two"));
  AwaitExit(one);
  AwaitExit(two);
  EXPECT_EQ(StreamOf(Log(one), "stdout"), "one\n");
  EXPECT_EQ(StreamOf(Log(two), "stdout"), "two\n");
}

}  // namespace
}  // namespace bulkhead::fixture
