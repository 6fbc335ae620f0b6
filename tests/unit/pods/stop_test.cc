#include <signal.h>

#include "tests/unit/pods/pods_test.h"

namespace bulkhead::pods {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class StopContainer : public PodsTest {};

TEST_F(StopContainer, SendsTheStopSignalAndWaitsForTheEnd) {
  const std::string id = Start(Run(PodOf("web")), ContainerOf("c"));
  EXPECT_TRUE(pods_->StopContainer(id, hours(1)).ok());
  EXPECT_THAT(host_->SignalsTo(id), ElementsAre(SIGQUIT));
  EXPECT_EQ(StatusOf(id).exit_code, 128 + SIGQUIT);
}

TEST_F(StopContainer, KillsAtOnceWithoutAGracePeriod) {
  host_->IgnoreSignals();
  const std::string id = Start(Run(PodOf("web")), ContainerOf("c"));
  EXPECT_TRUE(pods_->StopContainer(id, seconds(0)).ok());
  EXPECT_THAT(host_->SignalsTo(id), IsEmpty());
  EXPECT_EQ(StatusOf(id).exit_code, 137);
}

TEST_F(StopContainer, KillsWhatIgnoresTheSignalWhenTheGracePeriodIsOver) {
  host_->IgnoreSignals();
  const std::string id = Start(Run(PodOf("web")), ContainerOf("c"));
  EXPECT_TRUE(pods_->StopContainer(id, seconds(1)).ok());
  EXPECT_THAT(host_->SignalsTo(id), ElementsAre(SIGQUIT));
  EXPECT_EQ(StatusOf(id).exit_code, 137);
}

TEST_F(StopContainer, IsShortenedByASecondStop) {
  host_->IgnoreSignals();
  const std::string id = Start(Run(PodOf("web")), ContainerOf("c"));
  auto patient = Aside([&] { return pods_->StopContainer(id, hours(1)); });
  while (host_->SignalsTo(id).empty()) std::this_thread::yield();
  EXPECT_TRUE(pods_->StopContainer(id, seconds(0)).ok());
  EXPECT_TRUE(patient.get().ok());
  EXPECT_THAT(host_->SignalsTo(id), ElementsAre(SIGQUIT));
}

TEST_F(StopContainer, EndsThoughTheSupervisorHangs) {
  const std::string pod = Run(PodOf("web"));
  const std::string id = Start(pod, ContainerOf("c"));
  host_->FreezeSupervisors();
  EXPECT_TRUE(pods_->StopContainer(id, seconds(0)).ok());
  EXPECT_EQ(StatusOf(id).state, ContainerState::kExited);
  AwaitNotReady(pod);
  EXPECT_EQ(pods_->PodSandboxStatus(pod)->reason, "SupervisorLost");
}

TEST_F(StopContainer, SucceedsForWhatDoesNotRun) {
  const std::string id = Create(Run(PodOf("web")), ContainerOf("c"));
  EXPECT_TRUE(pods_->StopContainer(id, seconds(1)).ok());
  EXPECT_TRUE(pods_->StopContainer("0123", seconds(1)).ok());
}

class StopPodSandbox : public PodsTest {};

TEST_F(StopPodSandbox, EndsAllContainersAndTheNetwork) {
  const std::string pod = Run(PodOf("web"));
  const std::string running = Start(pod, ContainerOf("running"));
  const std::string created = Create(pod, ContainerOf("created"));
  EXPECT_TRUE(pods_->StopPodSandbox(pod).ok());
  EXPECT_EQ(StatusOf(running).exit_code, 137);
  EXPECT_EQ(StatusOf(created).state, ContainerState::kExited);
  EXPECT_EQ(pods_->PodSandboxStatus(pod)->state, PodState::kNotReady);
  EXPECT_THAT(network_.attached, IsEmpty());
  EXPECT_THAT(host_->Left(), ::testing::Not(::testing::Contains(::testing::StartsWith("netns"))));
}

TEST_F(StopPodSandbox, TellsANetworkThatIsNotReleasedAndTriesAgain) {
  const std::string pod = Run(PodOf("web"));
  steps_.Fail("Del", absl::InternalError("plugin failed"), 3);
  EXPECT_EQ(pods_->StopPodSandbox(pod).code(), absl::StatusCode::kInternal);
  EXPECT_EQ(pods_->PodSandboxStatus(pod)->state, PodState::kNotReady);
  while (!network_.List()->empty()) std::this_thread::yield();
  EXPECT_TRUE(pods_->StopPodSandbox(pod).ok());
}

TEST_F(StopPodSandbox, EndsThoughTheSupervisorHangs) {
  const std::string pod = Run(PodOf("web"));
  Start(pod, ContainerOf("c"));
  host_->FreezeSupervisors();
  EXPECT_TRUE(pods_->StopPodSandbox(pod).ok());
  EXPECT_TRUE(pods_->RemovePodSandbox(pod).ok());
  ExpectNothingLeft();
}

TEST_F(StopPodSandbox, DoesNotWaitForTheRelabellingOfAVolume) {
  const std::string pod = Run(PodOf("web"));
  steps_.Hold("OpenVolumes");
  auto creation = Aside([&] { return pods_->CreateContainer(pod, ContainerOf("c")); });
  steps_.AwaitHeld("OpenVolumes");
  EXPECT_TRUE(pods_->StopPodSandbox(pod).ok());
  creation.wait();
  EXPECT_TRUE(pods_->RemovePodSandbox(pod).ok());
  ExpectNothingLeft();
}

class RemovePodSandbox : public PodsTest {};

TEST_F(RemovePodSandbox, LeavesNothing) {
  const std::string pod = Run(PodOf("web"));
  Start(pod, ContainerOf("running"));
  Create(pod, ContainerOf("created"));
  EXPECT_TRUE(pods_->RemovePodSandbox(pod).ok());
  ExpectNothingLeft();
  EXPECT_THAT(pods_->ListPodSandbox({}), IsEmpty());
  EXPECT_THAT(pods_->ListContainers({}), IsEmpty());
}

TEST_F(RemovePodSandbox, LeavesTheCgroupsThatWereThereBefore) {
  host_->cgroups = {"/kubepods", "/kubepods/pod1"};
  spec::PodSpec spec = PodOf("web");
  spec.cgroup_parent = "/kubepods/pod1";
  const std::string pod = Run(spec);
  Start(pod, ContainerOf("c"));
  EXPECT_TRUE(pods_->RemovePodSandbox(pod).ok());
  EXPECT_THAT(host_->cgroups, ElementsAre("/kubepods", "/kubepods/pod1"));
}

TEST_F(RemovePodSandbox, LeavesParentCgroupsToThePodsThatStillUseThem) {
  spec::PodSpec first = PodOf("first");
  spec::PodSpec second = PodOf("second");
  first.cgroup_parent = second.cgroup_parent = "/made/by/us";
  const std::string first_id = Run(first);
  Start(first_id, ContainerOf("c"));
  const std::string second_id = Run(second);
  Start(second_id, ContainerOf("c"));
  EXPECT_TRUE(pods_->RemovePodSandbox(first_id).ok());
  EXPECT_TRUE(host_->cgroups.contains("/made/by/us"));
  EXPECT_TRUE(pods_->RemovePodSandbox(second_id).ok());
  ExpectNothingLeft();
}

class RemoveContainer : public PodsTest {};

TEST_F(RemoveContainer, KillsOneThatRuns) {
  const std::string pod = Run(PodOf("web"));
  const auto files = Files();
  const std::string id = Start(pod, ContainerOf("c"));
  EXPECT_TRUE(pods_->RemoveContainer(id).ok());
  EXPECT_EQ(pods_->GetContainerStatus(id).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Files(), files);
  EXPECT_THAT(images_->leases, IsEmpty());
}

TEST_F(RemoveContainer, FailsWhileItsCgroupStaysAndSucceedsLater) {
  const std::string id = Start(Run(PodOf("web")), ContainerOf("c"));
  steps_.Fail("RemoveCgroup", absl::DeadlineExceededError("busy"));
  EXPECT_FALSE(pods_->RemoveContainer(id).ok());
  EXPECT_EQ(StatusOf(id).state, ContainerState::kExited);
  EXPECT_TRUE(pods_->RemoveContainer(id).ok());
}

}  // namespace
}  // namespace bulkhead::pods
