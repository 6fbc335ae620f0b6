#include <cerrno>

#include "runtime/kernel/status.h"
#include "tests/unit/pods/pods_test.h"

namespace bulkhead::pods {
namespace {

using ::testing::HasSubstr;

class StartContainer : public PodsTest {};

TEST_F(StartContainer, TellsARunningContainer) {
  const ContainerStatus status = StatusOf(Start(Run(PodOf("web")), ContainerOf("c")));
  EXPECT_EQ(status.state, ContainerState::kRunning);
  EXPECT_GE(status.started_at, status.created_at);
  EXPECT_EQ(status.pid, 100);
}

TEST_F(StartContainer, FailsForOneThatRuns) {
  const std::string id = Start(Run(PodOf("web")), ContainerOf("c"));
  const absl::Status again = pods_->StartContainer(id);
  EXPECT_EQ(again.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(again.message()), HasSubstr("running"));
}

struct CannotRun {
  int error;
  int code;
};

class FailedStartContainer : public PodsTest, public ::testing::WithParamInterface<CannotRun> {};

TEST_P(FailedStartContainer, EndsTheContainerWithAShellsCode) {
  const std::string id = Create(Run(PodOf("web")), ContainerOf("c"));
  steps_.Fail("StartContainer", ErrnoStatus(GetParam().error, "exec /bin/nothing"));
  EXPECT_FALSE(pods_->StartContainer(id).ok());
  const ContainerStatus status = StatusOf(id);
  EXPECT_EQ(status.state, ContainerState::kExited);
  EXPECT_EQ(status.reason, "ContainerCannotRun");
  EXPECT_EQ(status.exit_code, GetParam().code);
  EXPECT_THAT(status.message, HasSubstr("/bin/nothing"));
  EXPECT_GT(status.finished_at, 0);
}

INSTANTIATE_TEST_SUITE_P(Errors, FailedStartContainer,
                         ::testing::Values(CannotRun{ENOENT, 127}, CannotRun{EACCES, 126},
                                           CannotRun{ENOEXEC, 126}, CannotRun{EIO, 128}));

// As when a seccomp agent holds the exec.
TEST_F(StartContainer, KillsWhatMayStartYetBeforeItCountsAsEnded) {
  const std::string id = Create(Run(PodOf("web")), ContainerOf("c"));
  steps_.Fail("StartContainer", absl::DeadlineExceededError("the supervisor did not answer"));
  steps_.Hold("KillCgroup");
  auto starting = Aside([&] { return pods_->StartContainer(id); });
  steps_.AwaitHeld("KillCgroup");
  EXPECT_NE(StatusOf(id).state, ContainerState::kExited);
  steps_.LetGo("KillCgroup");
  EXPECT_EQ(starting.get().code(), absl::StatusCode::kDeadlineExceeded);
  const ContainerStatus status = StatusOf(id);
  EXPECT_EQ(status.state, ContainerState::kExited);
  EXPECT_EQ(status.reason, "ContainerCannotRun");
  EXPECT_EQ(status.exit_code, 128);
  EXPECT_EQ(steps_.Count("KillCgroup"), 1);
}

TEST_F(StartContainer, TellsWhatCouldNotBeKilled) {
  const std::string id = Create(Run(PodOf("web")), ContainerOf("c"));
  steps_.Fail("StartContainer", absl::DeadlineExceededError("the supervisor did not answer"));
  steps_.Fail("KillCgroup", absl::DeadlineExceededError("stuck in the kernel"));
  EXPECT_FALSE(pods_->StartContainer(id).ok());
  EXPECT_THAT(StatusOf(id).message, HasSubstr("did not answer; "));
  EXPECT_THAT(StatusOf(id).message, HasSubstr("stuck in the kernel"));
}

TEST_F(StartContainer, TellsAnEndAtOnceAfterTheStart) {
  const std::string id = Create(Run(PodOf("web")), ContainerOf("c"));
  const auto events = pods_->SubscribeEvents();
  steps_.Hold("StartContainer");
  auto starting = Aside([&] { return pods_->StartContainer(id); });
  steps_.AwaitHeld("StartContainer");
  // Its end overtakes the answer to the start.
  host_->EndContainer(id, 5);
  steps_.LetGo("StartContainer");
  EXPECT_TRUE(starting.get().ok());
  EXPECT_EQ(events->Next()->type, ContainerEvent::Type::kStarted);
  EXPECT_EQ(events->Next()->type, ContainerEvent::Type::kStopped);
  EXPECT_EQ(StatusOf(id).exit_code, 5);
}

TEST_F(StartContainer, FailsInASandboxThatWasStopped) {
  const std::string pod = Run(PodOf("web"));
  const std::string id = Create(pod, ContainerOf("c"));
  ASSERT_TRUE(pods_->StopPodSandbox(pod).ok());
  EXPECT_EQ(pods_->StartContainer(id).code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace bulkhead::pods
