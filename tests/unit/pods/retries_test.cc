// The cells of docs/retries.md.
#include <gmock/gmock.h>

#include "tests/unit/pods/pods_test.h"

namespace bulkhead::pods {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Retries : public PodsTest {
 protected:
  // A call and its repeat while the first is held at `step`; both must answer the same.
  template <typename Call>
  auto RunTwiceAcross(const std::string& step, Call call) {
    steps_.Hold(step);
    auto first = Aside(call);
    steps_.AwaitHeld(step);
    auto second = Aside(call);
    EXPECT_EQ(second.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
    steps_.LetGo(step);
    return std::make_pair(first.get(), second.get());
  }
};

using RunPodSandboxRetries = Retries;

TEST_F(RunPodSandboxRetries, JoinDuring) {
  const auto [first, second] =
      RunTwiceAcross("SetUp", [&] { return pods_->RunPodSandbox(PodOf("web")); });
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(*first, *second);
  EXPECT_EQ(steps_.Count("SpawnSupervisor"), 1);
}

TEST_F(RunPodSandboxRetries, ShareTheFailureDuring) {
  steps_.Fail("SetUp", absl::InternalError("bad luck"));
  const auto [first, second] =
      RunTwiceAcross("SetUp", [&] { return pods_->RunPodSandbox(PodOf("web")); });
  EXPECT_EQ(first.status().code(), absl::StatusCode::kInternal);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kInternal);
}

TEST_F(RunPodSandboxRetries, ReturnTheSameIdAfterSuccess) {
  EXPECT_EQ(Run(PodOf("web")), Run(PodOf("web")));
}

TEST_F(RunPodSandboxRetries, TryAnewAfterFailure) {
  steps_.Fail("SetUp", absl::InternalError("bad luck"));
  EXPECT_FALSE(pods_->RunPodSandbox(PodOf("web")).ok());
  EXPECT_TRUE(pods_->RunPodSandbox(PodOf("web")).ok());
}

TEST_F(RunPodSandboxRetries, NameTheFieldOfAnotherConfiguration) {
  Run(PodOf("web"));
  spec::PodSpec other = PodOf("web");
  other.hostname = "other";
  const auto id = pods_->RunPodSandbox(other);
  EXPECT_EQ(id.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(id.status().message()), HasSubstr("hostname"));
}

TEST_F(RunPodSandboxRetries, NameTheFieldOfAnotherConfigurationDuring) {
  steps_.Hold("SetUp");
  auto first = Aside([&] { return pods_->RunPodSandbox(PodOf("web")); });
  steps_.AwaitHeld("SetUp");
  spec::PodSpec other = PodOf("web");
  other.labels["a"] = "b";
  EXPECT_EQ(pods_->RunPodSandbox(other).status().code(), absl::StatusCode::kAlreadyExists);
  steps_.LetGo("SetUp");
  EXPECT_TRUE(first.get().ok());
}

TEST_F(RunPodSandboxRetries, AreOtherPodsWithAnotherAttempt) {
  spec::PodSpec next = PodOf("web");
  next.metadata.attempt = 1;
  EXPECT_NE(Run(PodOf("web")), Run(next));
}

TEST_F(RunPodSandboxRetries, AreCancelledByAStop) {
  steps_.Hold("Add");
  auto running = Aside([&] { return pods_->RunPodSandbox(PodOf("web")); });
  steps_.AwaitHeld("Add");
  // Nobody is told the id before the end, but the pod's files are there.
  const std::string id = network_.last_request.pod_id;
  EXPECT_TRUE(pods_->StopPodSandbox(id).ok());
  EXPECT_EQ(running.get().status().code(), absl::StatusCode::kCancelled);
  ExpectNothingLeft();
}

TEST_F(RunPodSandboxRetries, AreCancelledByARemoval) {
  steps_.Hold("Add");
  auto running = Aside([&] { return pods_->RunPodSandbox(PodOf("web")); });
  steps_.AwaitHeld("Add");
  EXPECT_TRUE(pods_->RemovePodSandbox(network_.last_request.pod_id).ok());
  EXPECT_EQ(running.get().status().code(), absl::StatusCode::kCancelled);
  ExpectNothingLeft();
}

TEST_F(RunPodSandboxRetries, WaitForARemovalAndMakeANewOne) {
  const std::string old = Run(PodOf("web"));
  steps_.Hold("RemoveNetns");
  ASSERT_TRUE(old != "");
  auto removing = Aside([&] { return pods_->RemovePodSandbox(old); });
  steps_.AwaitHeld("RemoveNetns");
  steps_.LetGo("RemoveNetns");
  EXPECT_TRUE(removing.get().ok());
  EXPECT_NE(Run(PodOf("web")), old);
}

TEST_F(RunPodSandboxRetries, ReturnTheIdOfAStoppedSandbox) {
  const std::string id = Run(PodOf("web"));
  ASSERT_TRUE(pods_->StopPodSandbox(id).ok());
  EXPECT_EQ(Run(PodOf("web")), id);
}

using StopPodSandboxRetries = Retries;

TEST_F(StopPodSandboxRetries, WaitForTheFirst) {
  const std::string id = Run(PodOf("web"));
  const auto [first, second] = RunTwiceAcross("Del", [&] { return pods_->StopPodSandbox(id); });
  EXPECT_TRUE(first.ok());
  EXPECT_TRUE(second.ok());
  EXPECT_EQ(steps_.Count("Del"), 1);
}

TEST_F(StopPodSandboxRetries, SucceedAfterSuccess) {
  const std::string id = Run(PodOf("web"));
  EXPECT_TRUE(pods_->StopPodSandbox(id).ok());
  EXPECT_TRUE(pods_->StopPodSandbox(id).ok());
}

TEST_F(StopPodSandboxRetries, SucceedForAnUnknownSandbox) {
  EXPECT_TRUE(pods_->StopPodSandbox("0123").ok());
}

TEST_F(StopPodSandboxRetries, TryAgainAfterFailure) {
  const std::string id = Run(PodOf("web"));
  steps_.Fail("Del", absl::InternalError("plugin failed"));
  EXPECT_FALSE(pods_->StopPodSandbox(id).ok());
  EXPECT_TRUE(pods_->StopPodSandbox(id).ok());
}

TEST_F(StopPodSandboxRetries, StopACreationUnderWay) {
  const std::string id = Run(PodOf("web"));
  steps_.Hold("Confine");
  auto creating = Aside([&] { return pods_->CreateContainer(id, ContainerOf("c")); });
  steps_.AwaitHeld("Confine");
  auto stopping = Aside([&] { return pods_->StopPodSandbox(id); });
  EXPECT_EQ(stopping.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  steps_.LetGo("Confine");
  EXPECT_EQ(creating.get().status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(stopping.get().ok());
  EXPECT_THAT(images_->leases, IsEmpty());
}

using RemovePodSandboxRetries = Retries;

TEST_F(RemovePodSandboxRetries, WaitForTheFirst) {
  const std::string id = Run(PodOf("web"));
  const auto [first, second] = RunTwiceAcross("Del", [&] { return pods_->RemovePodSandbox(id); });
  EXPECT_TRUE(first.ok());
  EXPECT_TRUE(second.ok());
  ExpectNothingLeft();
}

TEST_F(RemovePodSandboxRetries, SucceedAfterSuccessAndForUnknown) {
  const std::string id = Run(PodOf("web"));
  EXPECT_TRUE(pods_->RemovePodSandbox(id).ok());
  EXPECT_TRUE(pods_->RemovePodSandbox(id).ok());
}

TEST_F(RemovePodSandboxRetries, TryAgainAfterFailure) {
  const std::string id = Run(PodOf("web"));
  Start(id, ContainerOf("c"));
  steps_.Fail("RemoveCgroup", absl::DeadlineExceededError("busy"));
  EXPECT_FALSE(pods_->RemovePodSandbox(id).ok());
  EXPECT_TRUE(pods_->RemovePodSandbox(id).ok());
  ExpectNothingLeft();
}

using CreateContainerRetries = Retries;

TEST_F(CreateContainerRetries, JoinDuring) {
  const std::string pod = Run(PodOf("web"));
  const auto [first, second] =
      RunTwiceAcross("Confine", [&] { return pods_->CreateContainer(pod, ContainerOf("c")); });
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(*first, *second);
  EXPECT_EQ(steps_.Count("CreateContainer"), 1);
}

TEST_F(CreateContainerRetries, ReturnTheSameIdAfterSuccess) {
  const std::string pod = Run(PodOf("web"));
  EXPECT_EQ(Create(pod, ContainerOf("c")), Create(pod, ContainerOf("c")));
}

TEST_F(RunPodSandboxRetries, CompareWithWhatWasAskedThoughResourcesChanged) {
  const std::string id = Run(PodOf("web"));
  const spec::PodResources now{.overhead = {.cpu_shares = 2}, .resources = {.cpu_shares = 512}};
  ASSERT_TRUE(pods_->UpdatePodSandboxResources(id, now).ok());
  EXPECT_EQ(Run(PodOf("web")), id);
  Restart();
  EXPECT_EQ(pods_->PodSandboxStatus(id)->spec.resources, now);
  ASSERT_TRUE(pods_->StopPodSandbox(id).ok());
  EXPECT_EQ(pods_->UpdatePodSandboxResources(id, now).code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(pods_->UpdatePodSandboxResources("nothing", now).code(), absl::StatusCode::kNotFound);
}

TEST_F(CreateContainerRetries, TryAnewAfterFailure) {
  const std::string pod = Run(PodOf("web"));
  steps_.Fail("CreateContainer", absl::InternalError("bad luck"));
  EXPECT_FALSE(pods_->CreateContainer(pod, ContainerOf("c")).ok());
  EXPECT_TRUE(pods_->CreateContainer(pod, ContainerOf("c")).ok());
}

TEST_F(CreateContainerRetries, NameTheFieldOfAnotherConfiguration) {
  const std::string pod = Run(PodOf("web"));
  Create(pod, ContainerOf("c"));
  spec::ContainerSpec other = ContainerOf("c");
  other.tty = true;
  const auto id = pods_->CreateContainer(pod, other);
  EXPECT_EQ(id.status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(id.status().message()), HasSubstr("tty"));
}

TEST_F(CreateContainerRetries, CompareWithWhatWasAskedThoughResourcesChanged) {
  const std::string pod = Run(PodOf("web"));
  const std::string id = Create(pod, ContainerOf("c"));
  ASSERT_TRUE(pods_->UpdateContainerResources(id, {.cpu_shares = 512}).ok());
  EXPECT_EQ(StatusOf(id).spec.resources.cpu_shares, 512);
  EXPECT_EQ(Create(pod, ContainerOf("c")), id);
}

TEST_F(CreateContainerRetries, MakeANewOneAfterARemoval) {
  const std::string pod = Run(PodOf("web"));
  const std::string id = Create(pod, ContainerOf("c"));
  steps_.Hold("RemoveCgroup");
  auto removing = Aside([&] { return pods_->RemoveContainer(id); });
  steps_.AwaitHeld("RemoveCgroup");
  auto creating = Aside([&] { return pods_->CreateContainer(pod, ContainerOf("c")); });
  EXPECT_EQ(creating.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  steps_.LetGo("RemoveCgroup");
  EXPECT_TRUE(removing.get().ok());
  EXPECT_NE(creating.get().value(), id);
}

using StartContainerRetries = Retries;

TEST_F(StartContainerRetries, JoinDuring) {
  const std::string id = Create(Run(PodOf("web")), ContainerOf("c"));
  const auto [first, second] =
      RunTwiceAcross("StartContainer", [&] { return pods_->StartContainer(id); });
  EXPECT_TRUE(first.ok());
  EXPECT_TRUE(second.ok());
  EXPECT_EQ(steps_.Count("StartContainer"), 1);
}

TEST_F(StartContainerRetries, FailAfterSuccess) {
  const std::string id = Start(Run(PodOf("web")), ContainerOf("c"));
  EXPECT_EQ(pods_->StartContainer(id).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(StartContainerRetries, FailAfterFailure) {
  const std::string id = Create(Run(PodOf("web")), ContainerOf("c"));
  steps_.Fail("StartContainer", absl::NotFoundError("exec"));
  EXPECT_FALSE(pods_->StartContainer(id).ok());
  EXPECT_EQ(pods_->StartContainer(id).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(StartContainerRetries, AreEndedByAStop) {
  const std::string id = Create(Run(PodOf("web")), ContainerOf("c"));
  steps_.Hold("StartContainer");
  auto starting = Aside([&] { return pods_->StartContainer(id); });
  steps_.AwaitHeld("StartContainer");
  auto stopping = Aside([&] { return pods_->StopContainer(id, seconds(0)); });
  while (steps_.Count("KillCgroup") == 0) std::this_thread::yield();
  steps_.LetGo("StartContainer");
  EXPECT_TRUE(starting.get().ok());
  EXPECT_TRUE(stopping.get().ok());
  EXPECT_EQ(StatusOf(id).exit_code, 137);
}

using StopContainerRetries = Retries;

TEST_F(StopContainerRetries, WaitTogetherAndSignalOnce) {
  host_->IgnoreSignals();
  const std::string id = Start(Run(PodOf("web")), ContainerOf("c"));
  auto first = Aside([&] { return pods_->StopContainer(id, hours(1)); });
  auto second = Aside([&] { return pods_->StopContainer(id, hours(1)); });
  while (host_->SignalsTo(id).empty()) std::this_thread::yield();
  host_->EndContainer(id, 0);
  EXPECT_TRUE(first.get().ok());
  EXPECT_TRUE(second.get().ok());
  EXPECT_EQ(host_->SignalsTo(id).size(), 1u);
}

TEST_F(StopContainerRetries, SucceedAfterSuccess) {
  const std::string id = Start(Run(PodOf("web")), ContainerOf("c"));
  EXPECT_TRUE(pods_->StopContainer(id, seconds(0)).ok());
  EXPECT_TRUE(pods_->StopContainer(id, seconds(0)).ok());
}

TEST_F(StopContainerRetries, TryAgainAfterFailure) {
  host_->IgnoreSignals();
  const std::string id = Start(Run(PodOf("web")), ContainerOf("c"));
  steps_.Fail("KillCgroup", absl::DeadlineExceededError("stuck in the kernel"));
  EXPECT_EQ(pods_->StopContainer(id, seconds(0)).code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(pods_->StopContainer(id, seconds(0)).ok());
}

TEST_F(StopContainerRetries, AreCutShortByARemoval) {
  host_->IgnoreSignals();
  const std::string id = Start(Run(PodOf("web")), ContainerOf("c"));
  auto stopping = Aside([&] { return pods_->StopContainer(id, hours(1)); });
  while (host_->SignalsTo(id).empty()) std::this_thread::yield();
  EXPECT_TRUE(pods_->RemoveContainer(id).ok());
  EXPECT_TRUE(stopping.get().ok());
}

using RemoveContainerRetries = Retries;

TEST_F(RemoveContainerRetries, WaitForTheFirst) {
  const std::string id = Start(Run(PodOf("web")), ContainerOf("c"));
  const auto [first, second] =
      RunTwiceAcross("RemoveCgroup", [&] { return pods_->RemoveContainer(id); });
  EXPECT_TRUE(first.ok());
  EXPECT_TRUE(second.ok());
  EXPECT_EQ(steps_.Count("RemoveCgroup"), 1);
}

TEST_F(RemoveContainerRetries, SucceedAfterSuccessAndForUnknown) {
  const std::string id = Create(Run(PodOf("web")), ContainerOf("c"));
  EXPECT_TRUE(pods_->RemoveContainer(id).ok());
  EXPECT_TRUE(pods_->RemoveContainer(id).ok());
}

TEST_F(RemoveContainerRetries, RaceARemovalOfTheSandbox) {
  const std::string pod = Run(PodOf("web"));
  const std::string id = Start(pod, ContainerOf("c"));
  steps_.Hold("RemoveCgroup");
  auto container = Aside([&] { return pods_->RemoveContainer(id); });
  steps_.AwaitHeld("RemoveCgroup");
  auto sandbox = Aside([&] { return pods_->RemovePodSandbox(pod); });
  steps_.LetGo("RemoveCgroup");
  EXPECT_TRUE(container.get().ok());
  EXPECT_TRUE(sandbox.get().ok());
  ExpectNothingLeft();
}

using OtherRetries = Retries;

TEST_F(OtherRetries, RunACommandAgain) {
  const std::string id = Start(Run(PodOf("web")), ContainerOf("c"));
  for (int i = 0; i < 2; ++i) {
    const auto result = pods_->ExecSync(id, {"text"}, seconds(0));
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->standard_output, "text");
    EXPECT_EQ(result->exit_code, 3);
  }
  EXPECT_EQ(steps_.Count("Exec"), 2);
}

TEST_F(OtherRetries, LeaveNoCgroupOfACommandThatFailed) {
  const std::string id = Start(Run(PodOf("web")), ContainerOf("c"));
  const auto before = host_->Left();
  steps_.Fail("Exec", absl::NotFoundError("no such program"));
  EXPECT_FALSE(pods_->ExecSync(id, {"text"}, seconds(0)).ok());
  EXPECT_EQ(host_->Left(), before);
}

TEST_F(OtherRetries, UpdateAgain) {
  const std::string id = Start(Run(PodOf("web")), ContainerOf("c"));
  steps_.Fail("SetResources", absl::InvalidArgumentError("memory_limit_in_bytes"));
  EXPECT_FALSE(pods_->UpdateContainerResources(id, {.memory_limit = 1}).ok());
  EXPECT_EQ(StatusOf(id).spec.resources.memory_limit, 0);
  EXPECT_TRUE(pods_->UpdateContainerResources(id, {.memory_limit = 1 << 20}).ok());
  EXPECT_TRUE(pods_->UpdateContainerResources(id, {.memory_limit = 1 << 20}).ok());
  EXPECT_EQ(host_->updated.memory_limit, 1 << 20);
  ASSERT_TRUE(pods_->StopContainer(id, seconds(0)).ok());
  EXPECT_EQ(pods_->UpdateContainerResources(id, {.memory_limit = 1 << 20}).code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(OtherRetries, ReopenALogAgain) {
  spec::PodSpec spec = PodOf("web");
  spec.log_directory = root_ + "/logs";
  spec::ContainerSpec container = ContainerOf("c");
  container.log_path = "c.log";
  const std::string id = Start(Run(spec), container);
  EXPECT_TRUE(pods_->ReopenContainerLog(id).ok());
  EXPECT_TRUE(pods_->ReopenContainerLog(id).ok());
  ASSERT_TRUE(pods_->StopContainer(id, seconds(0)).ok());
  EXPECT_EQ(pods_->ReopenContainerLog(id).code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace bulkhead::pods
