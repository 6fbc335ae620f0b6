#include <thread>

#include "shim/pods/ids.h"
#include "tests/unit/pods/pods_test.h"

namespace bulkhead::pods {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RunPodSandbox : public PodsTest {};

TEST_F(RunPodSandbox, TellsAReadySandboxWithItsAddresses) {
  const std::string id = Run(PodOf("web"));
  EXPECT_TRUE(IsId(id));
  const PodStatus status = *pods_->PodSandboxStatus(id);
  EXPECT_EQ(status.state, PodState::kReady);
  EXPECT_THAT(status.ips, ElementsAre("10.0.0.2"));
  EXPECT_EQ(status.network_namespace, "/netns/" + id);
}

TEST_F(RunPodSandbox, AsksNoNetworkOnTheHostsNetwork) {
  const std::string id = Run(HostNetworkPodOf("web"));
  EXPECT_EQ(steps_.Count("Add") + steps_.Count("CreateNetns"), 0);
  EXPECT_THAT(pods_->PodSandboxStatus(id)->ips, IsEmpty());
}

TEST_F(RunPodSandbox, MapsOnlyPortsThatAreOpenedOnTheHost) {
  spec::PodSpec pod = PodOf("web");
  pod.port_mappings = {{.container_port = 80, .host_port = 8080}, {.container_port = 81}};
  Run(pod);
  ASSERT_EQ(network_.last_request.port_mappings.size(), 1u);
  EXPECT_EQ(network_.last_request.port_mappings[0].host_port, 8080);
}

TEST_F(RunPodSandbox, MakesACgroupForThePid1OfASharedPidNamespace) {
  spec::PodSpec pod = HostNetworkPodOf("web");
  pod.security.namespaces.pid = spec::NamespaceMode::kPod;
  pod.cgroup_parent = "/kubepods/pod1";
  const std::string id = Run(pod);
  EXPECT_TRUE(host_->cgroups.contains("/kubepods/pod1/" + id));
  EXPECT_EQ(pods_->PodSandboxStatus(id)->pid, 42);
}

TEST_F(RunPodSandbox, IsNotReadyWhenItsSupervisorWasLostBesideTheNetwork) {
  steps_.Hold("Add");
  auto call = Aside([&] { return Run(PodOf("web")); });
  steps_.AwaitHeld("Add");
  while (steps_.Count("SetUp") == 0) std::this_thread::yield();
  host_->CrashSupervisors(true);
  steps_.LetGo("Add");
  const std::string pod = call.get();
  AwaitNotReady(pod);
  EXPECT_EQ(pods_->PodSandboxStatus(pod)->reason, "SupervisorLost");
  EXPECT_TRUE(pods_->RemovePodSandbox(pod).ok());
  ExpectNothingLeft();
}

TEST_F(RunPodSandbox, NamesTheFieldOfABadCgroupParent) {
  spec::PodSpec pod = PodOf("web");
  pod.cgroup_parent = "/kubepods/../..";
  const auto id = pods_->RunPodSandbox(pod);
  EXPECT_EQ(id.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(id.status().message()), HasSubstr("cgroup_parent"));
  ExpectNothingLeft();
}

TEST_F(RunPodSandbox, RunsOneWhileTheNetworkOfAnotherHangs) {
  steps_.Hold("Add");
  auto slow = Aside([&] { return pods_->RunPodSandbox(PodOf("slow")); });
  steps_.AwaitHeld("Add");
  Run(HostNetworkPodOf("quick"));
  steps_.LetGo("Add");
  EXPECT_TRUE(slow.get().ok());
}

TEST_F(RunPodSandbox, ListsNoSandboxThatIsStillBeingMade) {
  steps_.Hold("Add");
  auto slow = Aside([&] { return pods_->RunPodSandbox(PodOf("slow")); });
  steps_.AwaitHeld("Add");
  EXPECT_THAT(pods_->ListPodSandbox({}), IsEmpty());
  steps_.LetGo("Add");
  slow.wait();
  EXPECT_EQ(pods_->ListPodSandbox({}).size(), 1u);
}

TEST_F(RunPodSandbox, MakesNothingWithoutTheUserNamespaceThatOwnsIt) {
  spec::PodSpec pod = PodOf("web");
  const std::vector<spec::IdRange> map = {{.container = 0, .host = 65536, .size = 65536}};
  pod.security.namespaces.user = {.mode = spec::NamespaceMode::kPod, .uids = map, .gids = map};
  steps_.Fail("CreateUserNamespace", absl::ResourceExhaustedError("user.max_user_namespaces"));
  EXPECT_EQ(pods_->RunPodSandbox(pod).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(steps_.Count("CreateNetns") + steps_.Count("SpawnSupervisor"), 0);
  ExpectNothingLeft();
  // On the host's network its superuser would have capabilities that cover nothing.
  pod.security.namespaces.network = spec::NamespaceMode::kNode;
  const absl::Status refused = pods_->RunPodSandbox(pod).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("namespace_options.network"));
  ExpectNothingLeft();
}

// Each step that can fail, by its name.
class FailedRunPodSandbox : public PodsTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(FailedRunPodSandbox, LeavesNothingAndFreesTheName) {
  spec::PodSpec pod = PodOf("web");
  pod.security.namespaces.pid = spec::NamespaceMode::kPod;
  steps_.Fail(GetParam(), absl::ResourceExhaustedError("too many open files"));
  const auto failed = pods_->RunPodSandbox(pod);
  EXPECT_EQ(failed.status().code(), absl::StatusCode::kResourceExhausted) << failed.status();
  EXPECT_THAT(host_->Left(), IsEmpty());
  EXPECT_THAT(Files(), IsEmpty());
  EXPECT_TRUE(pods_->RunPodSandbox(pod).ok());
}

INSTANTIATE_TEST_SUITE_P(Steps, FailedRunPodSandbox,
                         ::testing::Values("CreateNetns", "Add", "CreateCgroup", "SpawnSupervisor",
                                           "SetUp"));

}  // namespace
}  // namespace bulkhead::pods
