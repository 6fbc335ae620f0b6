// Restarts of the daemon: after an orderly life, and in the middle of each step.
#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "shim/pods/ids.h"
#include "tests/unit/pods/pods_test.h"

namespace bulkhead::pods {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

class Recovery : public PodsTest {};

TEST_F(Recovery, FindsPodsAndContainersAsTheyWere) {
  const std::string pod = Run(PodOf("web"));
  const std::string running = Start(pod, ContainerOf("running"));
  const std::string created = Create(pod, ContainerOf("created"));
  const ContainerStatus before = StatusOf(running);
  Restart();
  EXPECT_EQ(pods_->PodSandboxStatus(pod)->state, PodState::kReady);
  EXPECT_THAT(pods_->PodSandboxStatus(pod)->ips, SizeIs(1));
  EXPECT_EQ(StatusOf(running).state, ContainerState::kRunning);
  EXPECT_EQ(StatusOf(running).started_at, before.started_at);
  EXPECT_EQ(StatusOf(running).user, before.user);
  EXPECT_EQ(StatusOf(created).state, ContainerState::kCreated);
  // Names are as taken as they were.
  EXPECT_EQ(Run(PodOf("web")), pod);
  EXPECT_EQ(Create(pod, ContainerOf("running")), running);
  EXPECT_TRUE(pods_->RemovePodSandbox(pod).ok());
  ExpectNothingLeft();
}

TEST_F(Recovery, LeasesTheImagesOfVolumesAgain) {
  spec::ContainerSpec container = ContainerOf("c");
  container.mounts = {{.container_path = "/data", .readonly = true, .image = "data"}};
  const std::string id = Start(Run(PodOf("web")), container);
  services_.clear();
  images_->leases.clear();
  Restart();
  EXPECT_THAT(images_->leases, ::testing::UnorderedElementsAre(std::pair(id, "sha256:1"),
                                                               std::pair(id, "sha256:3")));
}

TEST_F(Recovery, LetsAStopEndWhatWasReleasedAndIsNotExecutedYet) {
  const std::string id = Create(Run(PodOf("web")), ContainerOf("c"));
  services_.clear();
  host_->OnlyPod()->containers[id].set_released(true);
  Restart();
  EXPECT_EQ(StatusOf(id).state, ContainerState::kRunning);
  EXPECT_GT(StatusOf(id).started_at, 0);
  EXPECT_TRUE(pods_->StopContainer(id, std::chrono::seconds(0)).ok());
  EXPECT_EQ(StatusOf(id).exit_code, 137);
}

TEST_F(Recovery, TellsTheEndOfAContainerThatEndedMeanwhile) {
  const std::string id = Start(Run(PodOf("web")), ContainerOf("c"));
  services_.clear();
  host_->EndContainer(id, 42);
  Restart();
  EXPECT_EQ(StatusOf(id).state, ContainerState::kExited);
  EXPECT_EQ(StatusOf(id).exit_code, 42);
}

TEST_F(Recovery, EndsWhatOutlivedTheFirstProcessOfAContainer) {
  spec::ContainerSpec shared = ContainerOf("c");
  shared.security.namespaces.pid = spec::NamespaceMode::kNode;
  const std::string id = Start(Run(PodOf("web")), shared);
  services_.clear();
  host_->EndContainer(id, 42);
  const int kills = steps_.Count("KillCgroup");
  Restart();
  EXPECT_EQ(AwaitExit(id).exit_code, 42);
  EXPECT_EQ(steps_.Count("KillCgroup"), kills + 1);
}

TEST_F(Recovery, KillsWhatASupervisorThatIsGoneLeft) {
  const std::string pod = Run(PodOf("web"));
  const std::string id = Start(pod, ContainerOf("c"));
  services_.clear();
  host_->CrashSupervisors(false);
  Restart();
  EXPECT_EQ(pods_->PodSandboxStatus(pod)->state, PodState::kNotReady);
  EXPECT_EQ(StatusOf(id).exit_code, 137);
  EXPECT_EQ(StatusOf(id).reason, "SupervisorLost");
  // Its network is still to be released.
  EXPECT_TRUE(pods_->RemovePodSandbox(pod).ok());
  ExpectNothingLeft();
}

TEST_F(Recovery, NeverTellsZeroForAnEndThatNobodySaw) {
  const std::string id = Start(Run(PodOf("web")), ContainerOf("c"));
  services_.clear();
  host_->CrashSupervisors(true);
  Restart();
  EXPECT_EQ(StatusOf(id).exit_code, 255);
  EXPECT_EQ(StatusOf(id).reason, "ExitCodeLost");
}

TEST_F(Recovery, BelievesTheExitRecordOfASupervisorThatIsGone) {
  const std::string pod = Run(PodOf("web"));
  const std::string id = Start(pod, ContainerOf("c"));
  services_.clear();
  host_->CrashSupervisors(true);
  supervisor::ExitRecord record;
  record.set_code(9);
  record.set_finished_at(5);
  const std::string bytes = record.SerializeAsString();
  std::ofstream(root_ + "/state/pods/" + pod + "/exit." + id)
      << static_cast<char>(bytes.size()) << std::string(3, '\0') << bytes;
  Restart();
  EXPECT_EQ(StatusOf(id).exit_code, 9);
  EXPECT_EQ(StatusOf(id).finished_at, 5);
}

TEST_F(Recovery, ReleasesNetworksAndDataOfPodsFromBeforeAReboot) {
  network_.attached.insert(NewId());
  const std::string data = root_ + "/data/containers/" + NewId();
  ASSERT_EQ(mkdir(data.c_str(), 0700), 0);
  Restart();
  AwaitNothingLeft();
  ExpectNothingLeft();
}

TEST_F(Recovery, TouchesNoPodWhoseRecordCannotBeRead) {
  const std::string pod = Run(PodOf("web"));
  Start(pod, ContainerOf("c"));
  std::ofstream(root_ + "/state/pods/" + pod + "/record.json") << "{\"version\": 7}";
  const auto left = host_->Left();
  const auto files = Files();
  const int finished = steps_.Count("FinishRecovery");
  Restart();
  EXPECT_EQ(host_->Left(), left);
  EXPECT_EQ(Files(), files);
  EXPECT_THAT(network_.attached, SizeIs(1));
  // Which layers it runs on is not known, so that none may be deleted.
  EXPECT_EQ(steps_.Count("FinishRecovery"), finished);
}

TEST_F(Recovery, TouchesNoPodThatItCannotConnectTo) {
  const std::string id = Start(Run(PodOf("web")), ContainerOf("c"));
  const auto left = host_->Left();
  const auto files = Files();
  images_->leases.clear();
  steps_.Fail("ConnectSupervisor", absl::ResourceExhaustedError("too many open files"));
  Restart();
  EXPECT_EQ(host_->Left(), left);
  EXPECT_EQ(Files(), files);
  EXPECT_THAT(images_->leases, SizeIs(1));
  EXPECT_EQ(StatusOf(id).state, ContainerState::kRunning);
}

TEST_F(Recovery, ListsAndEndsAPodThatItCannotConnectTo) {
  const std::string pod = Run(PodOf("web"));
  const std::string id = Start(pod, ContainerOf("c"));
  steps_.Fail("ConnectSupervisor", absl::FailedPreconditionError("another protocol"));
  Restart();
  ASSERT_THAT(pods_->ListPodSandbox({}), SizeIs(1));
  EXPECT_EQ(pods_->PodSandboxStatus(pod)->state, PodState::kNotReady);
  EXPECT_EQ(pods_->PodSandboxStatus(pod)->reason, "SupervisorUnreachable");
  EXPECT_EQ(Run(PodOf("web")), pod);  // No second one of its name.
  EXPECT_FALSE(pods_->CreateContainer(pod, ContainerOf("other")).ok());
  EXPECT_TRUE(pods_->StopContainer(id, std::chrono::seconds(0)).ok());
  EXPECT_EQ(StatusOf(id).state, ContainerState::kExited);
  EXPECT_NE(StatusOf(id).exit_code, 0);
  EXPECT_TRUE(pods_->StopPodSandbox(pod).ok());
  EXPECT_TRUE(pods_->RemovePodSandbox(pod).ok());
  ExpectNothingLeft();
}

TEST_F(Recovery, TakesAPodOverOnceItCanConnectToIt) {
  const std::string pod = Run(PodOf("web"));
  const std::string id = Start(pod, ContainerOf("c"));
  steps_.Fail("ConnectSupervisor", absl::ResourceExhaustedError("too many open files"));
  Restart();
  EXPECT_EQ(pods_->PodSandboxStatus(pod)->state, PodState::kNotReady);
  Restart();
  EXPECT_EQ(pods_->PodSandboxStatus(pod)->state, PodState::kReady);
  EXPECT_EQ(StatusOf(id).state, ContainerState::kRunning);
}

TEST_F(Recovery, DoesNotWaitForPluginsThatHang) {
  const std::string pod = NewId();
  network_.attached.insert(pod);
  steps_.Hold("Del");
  Restart();
  steps_.AwaitHeld("Del");
  steps_.LetGo("Del");
  AwaitNothingLeft();
}

TEST_F(Recovery, UndoesNoCgroupThatAnotherPodReliesOn) {
  const std::string web = Run(PodOf("web"));
  Start(web, ContainerOf("c"));
  steps_.Hold("SetUp");
  Service& crashed = *pods_;
  spec::PodSpec half = PodOf("half");
  half.security.namespaces.pid = spec::NamespaceMode::kPod;
  auto call = Aside([&] { return crashed.RunPodSandbox(half); });
  steps_.AwaitHeld("SetUp");
  while (steps_.Count("Add") < 2) std::this_thread::yield();
  const auto cgroups = host_->cgroups;
  Restart();
  while (network_.List()->size() > 1) std::this_thread::yield();
  for (const std::string& cgroup : cgroups) {
    const bool ours = cgroup.find(web) == std::string::npos || host_->CgroupExists(cgroup);
    EXPECT_TRUE(ours) << cgroup;
  }
  steps_.LetGo("SetUp");
  call.wait();
}

// A daemon that crashes in a step, seen from the one after it: the call stays where it is.
class CrashInRunPodSandbox : public PodsTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(CrashInRunPodSandbox, IsUndone) {
  spec::PodSpec pod = PodOf("web");
  pod.security.namespaces.pid = spec::NamespaceMode::kPod;
  const std::string step = GetParam();
  steps_.CrashIn(step);
  Service& crashed = *pods_;
  auto call = Aside([&] { return crashed.RunPodSandbox(pod); });
  steps_.AwaitHeld(step);
  // The network is attached beside the other steps; what is beside must have come to its stop too.
  const char* beside = step == "CreateNetns" ? "SpawnSupervisor" : step == "Add" ? "SetUp" : "Add";
  while (steps_.Count(beside) == 0) std::this_thread::yield();
  Restart();
  EXPECT_THAT(pods_->ListPodSandbox({}), IsEmpty());
  AwaitNothingLeft();
  steps_.LetGo(step);
  call.wait();
}

INSTANTIATE_TEST_SUITE_P(Steps, CrashInRunPodSandbox,
                         ::testing::Values("CreateNetns", "Add", "CreateCgroup", "SpawnSupervisor",
                                           "SetUp"));

class CrashInCreateContainer : public PodsTest,
                               public ::testing::WithParamInterface<const char*> {};

TEST_P(CrashInCreateContainer, IsUndoneAndThePodGoesOn) {
  const std::string pod = Run(PodOf("web"));
  const auto before = Files();
  const std::string step = GetParam();
  steps_.CrashIn(step);
  Service& crashed = *pods_;
  auto call = Aside([&] { return crashed.CreateContainer(pod, ContainerOf("c")); });
  steps_.AwaitHeld(step);
  Restart();
  EXPECT_THAT(pods_->ListContainers({}), IsEmpty());
  EXPECT_EQ(Files(), before);
  EXPECT_EQ(pods_->PodSandboxStatus(pod)->state, PodState::kReady);
  steps_.LetGo(step);
  call.wait();
}

INSTANTIATE_TEST_SUITE_P(Steps, CrashInCreateContainer,
                         ::testing::Values("Acquire", "CreateCgroup", "Confine",
                                           "CreateContainer"));

class CrashInRemovePodSandbox : public PodsTest,
                                public ::testing::WithParamInterface<const char*> {};

TEST_P(CrashInRemovePodSandbox, IsFinished) {
  const std::string pod = Run(PodOf("web"));
  Start(pod, ContainerOf("c"));
  const std::string step = GetParam();
  steps_.CrashIn(step);
  Service& crashed = *pods_;
  auto call = Aside([&] { return crashed.RemovePodSandbox(pod); });
  steps_.AwaitHeld(step);
  Restart();
  EXPECT_TRUE(pods_->RemovePodSandbox(pod).ok());
  ExpectNothingLeft();
  steps_.LetGo(step);
  call.wait();
}

INSTANTIATE_TEST_SUITE_P(Steps, CrashInRemovePodSandbox,
                         ::testing::Values("KillCgroup", "Shutdown", "Del", "RemoveNetns",
                                           "RemoveCgroup"));

}  // namespace
}  // namespace bulkhead::pods
