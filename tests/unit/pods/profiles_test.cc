// Handlers: what their profiles change is carried out, recorded and given back.
#include <fstream>

#include "tests/unit/pods/pods_test.h"

namespace bulkhead::pods {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uint32_t kFirst = 0x70000000;

class ProfilesTest : public PodsTest {
 protected:
  ProfilesTest() {
    config_.isolation.host_id_ranges = 2;
    services_.clear();
    Restart();
  }

  static spec::PodSpec HardenedPodOf(const std::string& name) {
    spec::PodSpec pod = PodOf(name);
    pod.runtime_handler = "hardened";
    // As the kubelet says of a pod that asks for no user namespace.
    pod.security.namespaces.user = spec::UserNamespace{.mode = spec::NamespaceMode::kNode};
    return pod;
  }
  uint32_t FirstIdOf(const std::string& pod_id) {
    const auto status = pods_->PodSandboxStatus(pod_id);
    const spec::UserNamespace* own =
        status.ok() ? spec::OwnUserNamespace(status->spec.security.namespaces) : nullptr;
    EXPECT_TRUE(own != nullptr && own->uids == own->gids && own->uids.size() == 1);
    return own == nullptr ? 0 : own->uids[0].host;
  }
};

TEST_F(ProfilesTest, AHandlerThatIsNotConfiguredIsNotFound) {
  spec::PodSpec pod = PodOf("web");
  pod.runtime_handler = "gvisor";
  EXPECT_EQ(pods_->RunPodSandbox(pod).status().code(), absl::StatusCode::kNotFound);
  ExpectNothingLeft();
}

TEST_F(ProfilesTest, HardenedPodsHaveUserNamespacesWithIdsOfTheirOwn) {
  EXPECT_EQ(FirstIdOf(Run(HardenedPodOf("a"))), kFirst);
  EXPECT_EQ(FirstIdOf(Run(HardenedPodOf("b"))), kFirst + 65536);
  EXPECT_EQ(steps_.Count("CreateUserNamespace"), 2);
}

TEST_F(ProfilesTest, TheIdsAreKeptOverARestartAndFreeAfterTheRemoval) {
  const std::string pod = Run(HardenedPodOf("a"));
  services_.clear();
  Restart();
  EXPECT_EQ(FirstIdOf(pod), kFirst);
  EXPECT_EQ(FirstIdOf(Run(HardenedPodOf("b"))), kFirst + 65536);
  EXPECT_TRUE(pods_->StopPodSandbox(pod).ok());
  EXPECT_FALSE(pods_->RunPodSandbox(HardenedPodOf("c")).ok());
  EXPECT_TRUE(pods_->RemovePodSandbox(pod).ok());
  EXPECT_EQ(FirstIdOf(Run(HardenedPodOf("c"))), kFirst);
}

TEST_F(ProfilesTest, APodForWhichNoIdsAreLeftLeavesNothing) {
  Run(HardenedPodOf("a"));
  Run(HardenedPodOf("b"));
  const auto files = Files();
  const auto left = host_->Left();
  const absl::Status status = pods_->RunPodSandbox(HardenedPodOf("c")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("isolation.host_id_ranges 2"));
  EXPECT_EQ(Files(), files);
  EXPECT_EQ(host_->Left(), left);
  // A repeat of one that is there needs no ids.
  EXPECT_TRUE(pods_->RunPodSandbox(HardenedPodOf("a")).ok());
}

TEST_F(ProfilesTest, APodThatFailsGivesItsIdsBack) {
  for (int i = 0; i < 3; ++i) {
    steps_.Fail("SpawnSupervisor", absl::InternalError("x"));
    EXPECT_FALSE(pods_->RunPodSandbox(HardenedPodOf("a")).ok());
  }
  EXPECT_EQ(FirstIdOf(Run(HardenedPodOf("a"))), kFirst);
}

TEST_F(ProfilesTest, ARepeatIsComparedWithWhatWasAskedAlsoAfterARestart) {
  const std::string pod = Run(HardenedPodOf("a"));
  const std::string container = Create(pod, ContainerOf("c"));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(Run(HardenedPodOf("a")), pod);
    EXPECT_EQ(Create(pod, ContainerOf("c")), container);
    spec::PodSpec other = HardenedPodOf("a");
    other.security.namespaces.user.reset();
    const absl::Status status = pods_->RunPodSandbox(other).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
    EXPECT_THAT(std::string(status.message()), HasSubstr("another security.namespaces.user"));
    services_.clear();
    Restart();
  }
}

TEST_F(ProfilesTest, ContainersAreAsTheProfileHasThem) {
  const std::string pod = Run(HardenedPodOf("a"));
  spec::ContainerSpec asked = ContainerOf("c");
  asked.mounts = {{.container_path = "/data", .host_path = "/srv"}};
  const ContainerStatus status = StatusOf(Create(pod, asked));
  EXPECT_TRUE(status.spec.security.no_new_privs);
  EXPECT_EQ(status.spec.security.seccomp.type, spec::SecurityProfile::Type::kRuntimeStrict);
  EXPECT_EQ(status.spec.resources.pids_limit, 4096);
  ASSERT_EQ(status.spec.mounts[0].uid_map.size(), 1u);
  EXPECT_EQ(status.spec.mounts[0].uid_map[0].host, FirstIdOf(pod));
}

TEST_F(ProfilesTest, ARefusedContainerLeavesNothing) {
  const std::string pod = Run(HardenedPodOf("a"));
  const auto files = Files();
  spec::ContainerSpec asked = ContainerOf("c");
  asked.security.privileged = true;
  const absl::Status status = pods_->CreateContainer(pod, asked).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("which is hardened"));
  EXPECT_EQ(Files(), files);
}

TEST_F(ProfilesTest, AnUpdateDoesNotLiftTheLimitOfProcesses) {
  const std::string id = Start(Run(HardenedPodOf("a")), ContainerOf("c"));
  EXPECT_TRUE(pods_->UpdateContainerResources(id, {.cpu_shares = 512}).ok());
  EXPECT_EQ(StatusOf(id).spec.resources.pids_limit, 4096);
  const absl::Status status =
      pods_->UpdateContainerResources(id, {.unified = {{"pids.max", "max"}}});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ProfilesTest, IdsThatTheNodeGivesItselfAreRefusedToOthers) {
  spec::PodSpec pod = PodOf("web");
  const std::vector<spec::IdRange> map = {{.container = 0, .host = kFirst, .size = 65536}};
  pod.security.namespaces.user = {.mode = spec::NamespaceMode::kPod, .uids = map, .gids = map};
  EXPECT_EQ(pods_->RunPodSandbox(pod).status().code(), absl::StatusCode::kInvalidArgument);
  ExpectNothingLeft();
}

TEST_F(ProfilesTest, APodWhoseHandlerIsGoneIsStoppedAndRemovedButTakesNoContainer) {
  config_.handlers["own"] = {.kind = "hardened"};
  services_.clear();
  Restart();
  spec::PodSpec asked = HardenedPodOf("a");
  asked.runtime_handler = "own";
  const std::string pod = Run(asked);
  const std::string id = Start(pod, ContainerOf("c"));
  config_.handlers.erase("own");
  services_.clear();
  Restart();
  EXPECT_EQ(StatusOf(id).state, ContainerState::kRunning);
  const absl::Status status = pods_->CreateContainer(pod, ContainerOf("d")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"own\""));
  EXPECT_TRUE(pods_->RemovePodSandbox(pod).ok());
  ExpectNothingLeft();
}

TEST_F(ProfilesTest, NoIdsAreGivenWhileSomePodsRecordCannotBeRead) {
  const std::string lost = Run(HardenedPodOf("a"));
  services_.clear();
  std::ofstream(root_ + "/state/pods/" + lost + "/record.json") << "{\"version\": 7}";
  Restart();
  const absl::Status status = pods_->RunPodSandbox(HardenedPodOf("b")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr(lost));
  EXPECT_TRUE(pods_->RunPodSandbox(PodOf("b")).ok());
}

}  // namespace
}  // namespace bulkhead::pods
