#include "shim/cri/translate_status.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/unit/cri/status_matcher.h"

namespace bulkhead::cri {
namespace {

namespace v1 = ::runtime::v1;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

pods::ContainerStatus AContainer() {
  return {.id = "c1",
          .pod_id = "p1",
          .spec = {.metadata = {.name = "nginx", .attempt = 1},
                   .user_image = "nginx:1.26",
                   .image = "sha256:abc",
                   .env = {{"TOKEN", "hunter2"}},
                   .mounts = {{.container_path = "/data", .host_path = "/srv"}},
                   .labels = {{"a", "b"}},
                   .resources = {.cpu_shares = 2}},
          .state = pods::ContainerState::kExited,
          .created_at = 1'000'000'001,
          .started_at = 1'000'000'002,
          .finished_at = 1'000'000'003,
          .exit_code = 137,
          .reason = "OOMKilled",
          .message = "out of memory",
          .image_id = "sha256:abc",
          .image_ref = "docker.io/library/nginx@sha256:def",
          .log_path = "/var/log/pods/web/nginx/1.log",
          .user = {.uid = 101, .gid = 102, .groups = {102, 200}},
          .stop_signal = "SIGQUIT",
          .pid = 42,
          .log_loss = {.lines = 3, .unfinished = true}};
}

pods::PodStatus APod() {
  return {.id = "p1",
          .spec = {.metadata = {.name = "web", .uid = "u1", .name_space = "default", .attempt = 4},
                   .labels = {{"app", "web"}},
                   .annotations = {{"n", "m"}},
                   .runtime_handler = "strict",
                   .security = {.namespaces = {.pid = spec::NamespaceMode::kContainer}}},
          .state = pods::PodState::kReady,
          .created_at = 7,
          .ips = {"10.1.0.2", "fd00::2", "10.2.0.2"},
          .network_namespace = "/run/netns/x",
          .containers = {AContainer()}};
}

TEST(FromPodStatus, TellsWhatTheKubeletReads) {
  const v1::PodSandboxStatus status = FromPodStatus(APod());
  EXPECT_EQ(status.id(), "p1");
  EXPECT_EQ(status.metadata().name(), "web");
  EXPECT_EQ(status.metadata().uid(), "u1");
  EXPECT_EQ(status.metadata().namespace_(), "default");
  EXPECT_EQ(status.metadata().attempt(), 4u);
  EXPECT_EQ(status.state(), v1::SANDBOX_READY);
  EXPECT_EQ(status.created_at(), 7);
  EXPECT_EQ(status.network().ip(), "10.1.0.2");
  ASSERT_EQ(status.network().additional_ips_size(), 2);
  EXPECT_EQ(status.network().additional_ips(0).ip(), "fd00::2");
  EXPECT_EQ(status.network().additional_ips(1).ip(), "10.2.0.2");
  EXPECT_EQ(status.linux().namespaces().options().pid(), v1::CONTAINER);
  EXPECT_EQ(status.labels().at("app"), "web");
  EXPECT_EQ(status.annotations().at("n"), "m");
  EXPECT_EQ(status.runtime_handler(), "strict");
}

TEST(FromPodStatus, HasNoAddressOnTheHostsNetwork) {
  pods::PodStatus pod = APod();
  pod.ips.clear();
  EXPECT_EQ(FromPodStatus(pod).network().ip(), "");
}

TEST(FromPodItem, AgreesWithTheStatus) {
  pods::PodStatus pod = APod();
  pod.state = pods::PodState::kNotReady;
  const v1::PodSandbox item = FromPodItem(pod);
  EXPECT_EQ(item.id(), "p1");
  EXPECT_EQ(item.state(), v1::SANDBOX_NOTREADY);
  EXPECT_EQ(item.created_at(), 7);
  EXPECT_EQ(item.runtime_handler(), "strict");
}

TEST(FromContainerStatus, TellsWhatTheKubeletReads) {
  const v1::ContainerStatus status = FromContainerStatus(AContainer());
  EXPECT_EQ(status.id(), "c1");
  EXPECT_EQ(status.metadata().name(), "nginx");
  EXPECT_EQ(status.metadata().attempt(), 1u);
  EXPECT_EQ(status.state(), v1::CONTAINER_EXITED);
  EXPECT_EQ(status.created_at(), 1'000'000'001);
  EXPECT_EQ(status.started_at(), 1'000'000'002);
  EXPECT_EQ(status.finished_at(), 1'000'000'003);
  EXPECT_EQ(status.exit_code(), 137);
  EXPECT_EQ(status.reason(), "OOMKilled");
  EXPECT_EQ(status.message(), "out of memory");
  EXPECT_EQ(status.image().image(), "nginx:1.26");
  EXPECT_EQ(status.image_id(), "sha256:abc");
  EXPECT_EQ(status.image_ref(), "docker.io/library/nginx@sha256:def");
  EXPECT_EQ(status.mounts(0).container_path(), "/data");
  EXPECT_EQ(status.log_path(), "/var/log/pods/web/nginx/1.log");
  EXPECT_EQ(status.resources().linux().cpu_shares(), 2);
  EXPECT_EQ(status.user().linux().uid(), 101);
  EXPECT_EQ(status.user().linux().gid(), 102);
  EXPECT_THAT(status.user().linux().supplemental_groups(), ElementsAre(102, 200));
  EXPECT_EQ(status.stop_signal(), v1::SIGNAL_SIGQUIT);
}

TEST(FromContainerStatus, RefersToAnImageWithoutDigestByItsId) {
  pods::ContainerStatus container = AContainer();
  container.image_ref.clear();
  EXPECT_EQ(FromContainerStatus(container).image_ref(), "sha256:abc");
}

TEST(FromContainerStatus, RefersToTheImageOfAVolumeByItsId) {
  pods::ContainerStatus container = AContainer();
  container.spec.mounts.push_back(
      {.container_path = "/models", .readonly = true, .image = "models:1", .image_sub_path = "a"});
  container.volume_images = {{"models:1", "sha256:123"}};
  const v1::ContainerStatus status = FromContainerStatus(container);
  EXPECT_FALSE(status.mounts(0).has_image());
  EXPECT_EQ(status.mounts(1).image().image(), "models:1");
  EXPECT_EQ(status.mounts(1).image().image_ref(), "sha256:123");
  EXPECT_EQ(status.mounts(1).image_sub_path(), "a");
}

TEST(FromContainerItem, NamesItsSandboxAndTheImageAsAskedFor) {
  const v1::Container item = FromContainerItem(AContainer());
  EXPECT_EQ(item.pod_sandbox_id(), "p1");
  EXPECT_EQ(item.image().image(), "sha256:abc");
  EXPECT_EQ(item.image().user_specified_image(), "nginx:1.26");
  EXPECT_EQ(item.image_id(), "sha256:abc");
}

TEST(FromContainerItem, TellsEveryState) {
  pods::ContainerStatus container = AContainer();
  const std::pair<pods::ContainerState, v1::ContainerState> states[] = {
      {pods::ContainerState::kCreated, v1::CONTAINER_CREATED},
      {pods::ContainerState::kRunning, v1::CONTAINER_RUNNING},
      {pods::ContainerState::kExited, v1::CONTAINER_EXITED},
      {pods::ContainerState::kUnknown, v1::CONTAINER_UNKNOWN}};
  for (const auto& [ours, theirs] : states) {
    container.state = ours;
    EXPECT_EQ(FromContainerItem(container).state(), theirs);
  }
}

TEST(IsolationInfo, MarksWhatDiffers) {
  using isolation::Verdict;
  const nlohmann::json info = nlohmann::json::parse(IsolationInfo(
      std::vector<isolation::Comparison>{{"namespace net", "own", "own", Verdict::kAsPlanned},
                                         {"seccomp", "filter", "none", Verdict::kDiffers}}));
  EXPECT_EQ(info["differs"], true);
  EXPECT_EQ(info["mechanisms"][1]["actual"], "none");
  EXPECT_EQ(info["mechanisms"][1]["verdict"], "DIFFERS");
}

TEST(IsolationInfo, SaysWhyItIsNotKnown) {
  EXPECT_EQ(IsolationInfo(absl::NotFoundError("no plan")), R"({"unknown":"no plan"})");
}

TEST(ContainerInfo, IsJsonWithoutTheEnvironment) {
  const std::string info = ContainerInfo(AContainer());
  EXPECT_THAT(info, Not(HasSubstr("hunter2")));
  const nlohmann::json json = nlohmann::json::parse(info);
  EXPECT_EQ(json.at("pid"), 42);
  EXPECT_EQ(json.at("sandboxID"), "p1");
  EXPECT_EQ(json.at("logLinesLost"), 3);
  EXPECT_EQ(json.at("logUnfinished"), true);
}

TEST(PodInfo, SaysWhereTheNetworkNamespaceIs) {
  const nlohmann::json json = nlohmann::json::parse(PodInfo(APod()));
  EXPECT_EQ(json.at("networkNamespace"), "/run/netns/x");
  EXPECT_EQ(json.at("pid"), 0);
}

TEST(PodInfo, SaysWhatThePodHasAsAWhole) {
  pods::PodStatus pod = APod();
  pod.spec.resources = {.overhead = {.cpu_shares = 2}, .resources = {.memory_limit = 1 << 20}};
  const nlohmann::json json = nlohmann::json::parse(PodInfo(pod));
  EXPECT_EQ(json.at("overhead"), nlohmann::json({{"cpuShares", "2"}}));
  EXPECT_EQ(json.at("resources"), nlohmann::json({{"memoryLimitInBytes", "1048576"}}));
}

TEST(ToPodFilter, SetsOnlyWhatIsAskedFor) {
  v1::PodSandboxFilter filter;
  EXPECT_EQ(ToPodFilter(filter)->state, std::nullopt);
  filter.set_id("ab");
  filter.mutable_state();  // The first value of the enumeration is READY.
  (*filter.mutable_label_selector())["app"] = "web";
  const absl::StatusOr<pods::PodFilter> taken = ToPodFilter(filter);
  ASSERT_TRUE(taken.ok());
  EXPECT_EQ(taken->id, "ab");
  EXPECT_EQ(taken->state, pods::PodState::kReady);
  EXPECT_EQ(taken->labels.at("app"), "web");
}

TEST(ToContainerFilter, TakesEveryStateAndRefusesOthers) {
  v1::ContainerFilter filter;
  for (int value = v1::ContainerState_MIN; value <= v1::ContainerState_MAX; ++value) {
    filter.mutable_state()->set_state(static_cast<v1::ContainerState>(value));
    const absl::StatusOr<pods::ContainerFilter> taken = ToContainerFilter(filter);
    ASSERT_TRUE(taken.ok());
    EXPECT_EQ(FromContainerItem({.state = *taken->state}).state(), value);
  }
  filter.mutable_state()->set_state(static_cast<v1::ContainerState>(4));
  EXPECT_THAT(ToContainerFilter(filter).status(),
              IsInvalid("filter.state.state: value 4 is not a ContainerState"));
}

}  // namespace
}  // namespace bulkhead::cri
