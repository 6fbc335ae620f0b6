#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>

#include "runtime/kernel/status.h"
#include "shim/pods/process_streams.h"
#include "tests/unit/pods/pods_test.h"

namespace bulkhead::pods {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr StreamSelection kPipes{
    .standard_input = true, .standard_output = true, .standard_error = true};

class ExecTest : public PodsTest {
 protected:
  ExecTest() : id_(Start(Run(PodOf("web")), ContainerOf("c"))) {}

  std::string Leaf() { return host_->OnlyPod()->exec_leaf; }
  // A daemon that is told to kill commands without a client.
  void RestartToKill() {
    kill_on_disconnect_ = true;
    Restart();
  }

  const std::string id_;
};

TEST_F(ExecTest, GivesTheClientTheEndsThatItAskedFor) {
  const auto process = pods_->Exec(id_, {"true"}, {.standard_output = true});
  ASSERT_TRUE(process.ok()) << process.status();
  const ProcessStreams streams = (*process)->TakeStreams();
  EXPECT_FALSE(streams.in.valid());
  EXPECT_FALSE(streams.err.valid());
  char text[10];
  ASSERT_EQ(read(streams.out.get(), text, sizeof(text)), 4);
  // The command's end is nobody's but the command's.
  EXPECT_EQ(read(streams.out.get(), text, sizeof(text)), 0);
  EXPECT_TRUE(IsReadable((*process)->ended_fd()));
  EXPECT_EQ(*(*process)->ExitCode(), 3);
  EXPECT_FALSE((*process)->TakeStreams().out.valid());
}

TEST_F(ExecTest, GivesTwoDescriptorsOfATerminalAndKeepsOneToResizeIt) {
  const auto process = pods_->Exec(
      id_, {"true"}, {.standard_input = true, .standard_output = true, .terminal = true});
  ASSERT_TRUE(process.ok()) << process.status();
  {
    const ProcessStreams streams = (*process)->TakeStreams();
    EXPECT_TRUE(isatty(streams.in.get()));
    EXPECT_TRUE(isatty(streams.out.get()));
    EXPECT_NE(streams.in.get(), streams.out.get());
  }
  EXPECT_TRUE((*process)->Resize({.width = 100, .height = 30}).ok());
}

TEST_F(ExecTest, RunsEachCommandInALeafAndRemovesItWithTheClient) {
  auto process = pods_->Exec(id_, {"true"}, kPipes);
  const std::string leaf = Leaf();
  EXPECT_THAT(host_->cgroups, Contains(leaf));
  process->reset();
  EXPECT_THAT(host_->cgroups, Not(Contains(leaf)));
  ASSERT_TRUE(pods_->ExecSync(id_, {"true"}, std::chrono::seconds(0)).ok());
  EXPECT_NE(Leaf(), leaf);
  EXPECT_THAT(host_->cgroups, Not(Contains(Leaf())));
}

TEST_F(ExecTest, RemovesTheLeafOfACommandThatCouldNotBeStarted) {
  steps_.Fail("Exec", absl::NotFoundError("no such program"));
  const size_t before = host_->cgroups.size();
  EXPECT_EQ(pods_->Exec(id_, {"nothing"}, kPipes).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(host_->cgroups.size(), before);
}

TEST_F(ExecTest, KillsWhatAnUnansweredStartMayHaveStarted) {
  steps_.Fail("Exec", absl::DeadlineExceededError("the supervisor did not answer"));
  EXPECT_FALSE(pods_->Exec(id_, {"sleep"}, kPipes).ok());
  EXPECT_EQ(steps_.Count("KillCgroup"), 1);
}

TEST_F(ExecTest, BoundsTheStartOfACommandAsTheCommand) {
  const auto before = std::chrono::steady_clock::now();
  ASSERT_TRUE(pods_->ExecSync(id_, {"true"}, std::chrono::seconds(5)).ok());
  const auto deadline = host_->OnlyPod()->exec_deadline;
  ASSERT_TRUE(deadline.has_value());
  EXPECT_GE(*deadline, before + std::chrono::seconds(5));
  EXPECT_LE(*deadline, std::chrono::steady_clock::now() + std::chrono::seconds(5));
  ASSERT_TRUE(pods_->ExecSync(id_, {"true"}, std::chrono::seconds(0)).ok());
  EXPECT_FALSE(host_->OnlyPod()->exec_deadline.has_value());
}

// As when a seccomp agent holds the exec.
TEST_F(ExecTest, KillsWhatIsNotStartedWithinTheTimeoutOfACommand) {
  const size_t before = host_->cgroups.size();
  steps_.Hold("Exec");
  const absl::Status status = pods_->ExecSync(id_, {"sleep"}, std::chrono::seconds(1)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(status.message(), "the command did not end within 1 s and was killed");
  EXPECT_EQ(steps_.Count("KillCgroup"), 1);
  EXPECT_EQ(host_->cgroups.size(), before);
}

TEST_F(ExecTest, LooksAtALeafThatWasNotEmptyAgainWithTheNext) {
  steps_.Fail("RemoveExecLeaf", absl::FailedPreconditionError("a background child"));
  pods_->Exec(id_, {"true"}, kPipes)->reset();
  const std::string leaf = Leaf();
  EXPECT_THAT(host_->cgroups, Contains(leaf));
  pods_->Exec(id_, {"true"}, kPipes)->reset();
  EXPECT_THAT(host_->cgroups, Not(Contains(leaf)));
}

TEST_F(ExecTest, RemovesTheLeavesThatAnEarlierDaemonLeft) {
  steps_.Fail("RemoveExecLeaf", absl::FailedPreconditionError("it runs"));
  pods_->Exec(id_, {"sleep"}, kPipes)->reset();
  EXPECT_THAT(host_->cgroups, Contains(Leaf()));
  Restart();
  EXPECT_THAT(host_->cgroups, Not(Contains(Leaf())));
}

TEST_F(ExecTest, GoesWithoutALeafWhereNoneCanBeMade) {
  steps_.Fail("CreateExecLeaf", ErrnoStatus(EAGAIN, "mkdir"));
  ASSERT_TRUE(pods_->Exec(id_, {"true"}, kPipes).ok());
  EXPECT_EQ(Leaf(), "");
  steps_.Fail("CreateExecLeaf", ErrnoStatus(ENOSPC, "mkdir"));
  EXPECT_THAT(std::string(pods_->Exec(id_, {"true"}, kPipes).status().message()),
              HasSubstr("make a cgroup for the command"));
}

TEST_F(ExecTest, GoesWithoutALeafThatCanHaveNoProcesses) {
  steps_.Fail("Exec", ErrnoStatus(EOPNOTSUPP, "clone3"));
  const size_t before = host_->cgroups.size();
  ASSERT_TRUE(pods_->Exec(id_, {"true"}, kPipes).ok());
  EXPECT_EQ(Leaf(), "");
  EXPECT_EQ(host_->cgroups.size(), before);
}

TEST_F(ExecTest, LeavesTheCommandOfAClientThatGoesAlone) {
  pods_->Exec(id_, {"sleep"}, kPipes)->reset();
  EXPECT_EQ(steps_.Count("KillCgroup"), 0);
}

TEST_F(ExecTest, KillsTheCommandOfAClientThatGoesIfToldSo) {
  RestartToKill();
  pods_->Exec(id_, {"true"}, kPipes)->reset();
  EXPECT_EQ(steps_.Count("KillCgroup"), 0);
  pods_->Exec(id_, {"sleep"}, kPipes)->reset();
  EXPECT_EQ(steps_.Count("KillCgroup"), 1);
}

TEST_F(ExecTest, KillsACommandWithoutALeafByItsGroup) {
  RestartToKill();
  steps_.Fail("CreateExecLeaf", ErrnoStatus(EAGAIN, "mkdir"), 2);
  pods_->Exec(id_, {"sleep"}, kPipes)->reset();
  EXPECT_THAT(host_->SignalsTo("exec"), ElementsAre(SIGKILL));
  EXPECT_EQ(pods_->ExecSync(id_, {"sleep"}, std::chrono::seconds(1)).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(host_->SignalsTo("exec"), ElementsAre(SIGKILL, SIGKILL));
  EXPECT_EQ(steps_.Count("KillCgroup"), 0);
}

TEST_F(ExecTest, HoldsNobodyUpWhileItStarts) {
  steps_.Hold("Exec");
  auto call = Aside([&] { return pods_->Exec(id_, {"true"}, kPipes).ok(); });
  steps_.AwaitHeld("Exec");
  EXPECT_EQ(StatusOf(id_).state, ContainerState::kRunning);
  EXPECT_TRUE(pods_->StopContainer(id_, std::chrono::seconds(0)).ok());
  steps_.LetGo("Exec");
  EXPECT_TRUE(call.get());
}

TEST_F(ExecTest, IsRefusedWhereNothingRuns) {
  EXPECT_TRUE(pods_->CheckExec(id_).ok());
  EXPECT_EQ(pods_->CheckExec("nothing").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(pods_->Exec(id_, {}, kPipes).status().code(), absl::StatusCode::kInvalidArgument);
  host_->EndContainer(id_, 0);
  AwaitExit(id_);
  EXPECT_EQ(pods_->CheckExec(id_).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(pods_->Exec(id_, {"true"}, kPipes).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(steps_.Count("CreateExecLeaf"), 0);
}

}  // namespace
}  // namespace bulkhead::pods
