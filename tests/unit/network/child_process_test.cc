#include "shim/network/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>

#include "absl/strings/numbers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/kernel/fd.h"
#include "tests/unit/network/temporary_directory.h"

namespace bulkhead::network {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;

class RunChildTest : public ::testing::Test {
 protected:
  absl::StatusOr<ChildResult> Run(const std::string& script) {
    directory_.Write("program", "#!/bin/sh\n" + script, 0755);
    child_.program = directory_.path("program");
    return RunChild(child_);
  }

  TemporaryDirectory directory_;
  ChildProcess child_;
};

TEST_F(RunChildTest, ReturnsWhatTheChildWroteAndHowItEnded) {
  child_.input = "in\n";
  child_.environment = {"WHO=me"};
  const absl::StatusOr<ChildResult> result = Run("cat; echo $WHO; echo bad >&2; exit 7");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(result->exited);
  EXPECT_EQ(result->code, 7);
  EXPECT_EQ(result->output, "in\nme\n");
  EXPECT_EQ(result->error, "bad\n");
}

TEST_F(RunChildTest, GivesTheChildTheNameThatIsAskedFor) {
  const auto result = RunChild({.program = "/bin/sh",
                                .name = "hook",
                                .arguments = {"-c", "tr '\\0' ' ' < /proc/$$/cmdline"}});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->output, testing::StartsWith("hook -c "));
}

TEST(LastWords, AreOneLineOfTheEnd) {
  EXPECT_EQ(LastWords("why:\nbecause\n"), "why: because");
  EXPECT_EQ(LastWords(std::string(1000, 'a') + "b"), "..." + std::string(511, 'a') + "b");
}

TEST_F(RunChildTest, PassesNoOtherDescriptorOn) {
  const UniqueFd leak(open("/dev/null", O_RDONLY));  // Deliberately without O_CLOEXEC.
  const absl::StatusOr<ChildResult> result = Run("ls -l /proc/$$/fd");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->output, ::testing::Not(HasSubstr("/dev/null")));
}

TEST_F(RunChildTest, GivesTheChildDefaultSignals) {
  const auto before = signal(SIGTERM, SIG_IGN);
  const absl::StatusOr<ChildResult> result = Run("kill -TERM $$; sleep 60");
  signal(SIGTERM, before);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_FALSE(result->exited);
  EXPECT_EQ(result->code, SIGTERM);
}

TEST_F(RunChildTest, TakesALargeInputThatTheChildDoesNotRead) {
  child_.input = std::string(4 << 20, 'x');
  const absl::StatusOr<ChildResult> result = Run("exit 0");
  EXPECT_TRUE(result.ok()) << result.status();
}

TEST_F(RunChildTest, ReturnsAllOfAnOutputLargerThanAPipe) {
  const absl::StatusOr<ChildResult> result = Run("head -c 900000 /dev/zero");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->output.size(), 900000u);
}

TEST_F(RunChildTest, KillsTheWholeGroupWhenTimeIsUp) {
  child_.timeout = milliseconds(1000);
  const auto start = steady_clock::now();
  const absl::Status status =
      Run("sleep 60 & echo $! > " + directory_.path("pid") + "; wait").status();
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("did not end within 1000 ms"));
  EXPECT_LT(steady_clock::now() - start, milliseconds(30000));
  int pid = 0;
  ASSERT_TRUE(absl::SimpleAtoi(directory_.Read("pid"), &pid));
  // Gone already, or it ends now: killed is not yet ended.
  const UniqueFd grandchild(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  pollfd ended = {grandchild.get(), POLLIN, 0};
  EXPECT_TRUE(!grandchild.valid() || poll(&ended, 1, 10000) == 1);
}

TEST_F(RunChildTest, GivesUpWhenItIsCancelled) {
  const UniqueFd cancel(eventfd(1, EFD_CLOEXEC));
  child_.cancel_fd = cancel.get();
  EXPECT_TRUE(absl::IsCancelled(Run("sleep 60").status()));
}

TEST_F(RunChildTest, KillsAChildThatWritesTooMuch) {
  child_.output_limit = 1000;
  EXPECT_TRUE(absl::IsResourceExhausted(Run("exec cat /dev/zero").status()));
  EXPECT_TRUE(Run("head -c 1000 /dev/zero").ok());
}

TEST_F(RunChildTest, KeepsOnlyTheStartOfAFloodOfErrors) {
  child_.error_limit = 10;
  const absl::StatusOr<ChildResult> result = Run("head -c 300000 /dev/zero >&2; echo done");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->error.size(), 10u);
  EXPECT_EQ(result->output, "done\n");
}

TEST_F(RunChildTest, DoesNotWaitForAGrandchildThatKeepsTheOutputOpen) {
  const auto start = steady_clock::now();
  const absl::StatusOr<ChildResult> result = Run("sleep 20 & echo $!");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_LT(steady_clock::now() - start, milliseconds(10000));
  int pid = 0;
  ASSERT_TRUE(absl::SimpleAtoi(result->output, &pid));
  kill(pid, SIGKILL);
}

TEST_F(RunChildTest, ReportsAProgramThatCannotBeExecuted) {
  child_.program = "/nonexistent/program";
  const absl::Status status = RunChild(child_).status();
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("/nonexistent/program"));
}

}  // namespace
}  // namespace bulkhead::network
