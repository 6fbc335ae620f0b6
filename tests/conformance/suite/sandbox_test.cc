// The life of a sandbox and what is told about it.
#include "tests/conformance/fixture/pod_test.h"

namespace bulkhead::fixture {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

constexpr int64_t kSecond = 1'000'000'000;

int64_t Now() {
  return std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count();
}

class Sandbox : public PodTest {
 protected:
  v1::PodSandboxStatus StatusOf(const std::string& id) {
    return Must(cri().PodSandboxStatus(id)).status();
  }
  std::vector<v1::PodSandbox> List(const v1::PodSandboxFilter& filter) {
    return Must(cri().ListPodSandbox(filter));
  }
};

TEST_F(Sandbox, HasAnIdOf64HexDigits) {
  EXPECT_THAT(RunPod().id, testing::MatchesRegex("[0-9a-f]{64}"));
}

TEST_F(Sandbox, IsReadyWithTheTimeOfItsCreation) {
  const int64_t before = Now();
  auto status = StatusOf(RunPod().id);
  EXPECT_EQ(status.state(), v1::SANDBOX_READY);
  EXPECT_GE(status.created_at(), before - kSecond);
  EXPECT_LE(status.created_at(), Now());
}

TEST_F(Sandbox, KeepsMetadataLabelsAndAnnotations) {
  auto config = PodConfig();
  config.mutable_metadata()->set_attempt(3);
  (*config.mutable_labels())["app"] = "one";
  (*config.mutable_annotations())["note"] = "an \"annotation\" of\ntwo lines";
  Pod pod = RunPod(config);
  auto status = StatusOf(pod.id);
  EXPECT_EQ(status.metadata().SerializeAsString(), config.metadata().SerializeAsString());
  EXPECT_EQ(status.labels().at("app"), "one");
  EXPECT_EQ(status.annotations().at("note"), config.annotations().at("note"));
  EXPECT_EQ(status.linux().namespaces().options().pid(), v1::CONTAINER);
}

TEST_F(Sandbox, IsListedWithWhatItsStatusTells) {
  Pod pod = RunPod();
  v1::PodSandboxFilter filter;
  filter.set_id(pod.id);
  auto listed = List(filter);
  ASSERT_THAT(listed, SizeIs(1));
  EXPECT_EQ(listed[0].id(), pod.id);
  EXPECT_EQ(listed[0].metadata().name(), pod.config.metadata().name());
  EXPECT_EQ(listed[0].created_at(), StatusOf(pod.id).created_at());
}

TEST_F(Sandbox, IsFoundByAPrefixOfItsId) {
  Pod pod = RunPod();
  v1::PodSandboxFilter filter;
  filter.set_id(pod.id.substr(0, 20));
  EXPECT_THAT(List(filter), SizeIs(1));
  filter.set_id("0000" + pod.id.substr(4));
  EXPECT_THAT(List(filter), IsEmpty());
}

TEST_F(Sandbox, IsFilteredByAllLabelsOfTheSelector) {
  auto config = PodConfig();
  (*config.mutable_labels())["app"] = config.metadata().uid();
  (*config.mutable_labels())["tier"] = "front";
  RunPod(config);
  v1::PodSandboxFilter filter;
  (*filter.mutable_label_selector())["app"] = config.metadata().uid();
  (*filter.mutable_label_selector())["tier"] = "front";
  EXPECT_THAT(List(filter), SizeIs(1));
  (*filter.mutable_label_selector())["tier"] = "back";
  EXPECT_THAT(List(filter), IsEmpty());
}

TEST_F(Sandbox, IsFilteredByState) {
  Pod pod = RunPod();
  v1::PodSandboxFilter filter;
  filter.set_id(pod.id);
  filter.mutable_state()->set_state(v1::SANDBOX_NOTREADY);
  EXPECT_THAT(List(filter), IsEmpty());
  Must(cri().StopPodSandbox(pod.id));
  EXPECT_THAT(List(filter), SizeIs(1));
}

TEST_F(Sandbox, IsNotReadyOnceStopped) {
  Pod pod = RunPod();
  Must(cri().StopPodSandbox(pod.id));
  EXPECT_EQ(StatusOf(pod.id).state(), v1::SANDBOX_NOTREADY);
}

TEST_F(Sandbox, StopEndsItsContainers) {
  Pod pod = RunPod();
  const std::string container = Start(pod, Idle());
  Must(cri().StopPodSandbox(pod.id));
  EXPECT_EQ(Status(container).state(), v1::CONTAINER_EXITED);
}

TEST_F(Sandbox, StopAndRemoveMayBeRepeated) {
  Pod pod = RunPod();
  EXPECT_TRUE(cri().StopPodSandbox(pod.id).ok());
  EXPECT_TRUE(cri().StopPodSandbox(pod.id).ok());
  EXPECT_TRUE(cri().RemovePodSandbox(pod.id).ok());
  EXPECT_TRUE(cri().RemovePodSandbox(pod.id).ok());
  EXPECT_TRUE(cri().StopPodSandbox(pod.id).ok());
}

TEST_F(Sandbox, StopAndRemoveOfAnUnknownOneSucceed) {
  const std::string unknown(64, 'e');
  EXPECT_TRUE(cri().StopPodSandbox(unknown).ok());
  EXPECT_TRUE(cri().RemovePodSandbox(unknown).ok());
}

TEST_F(Sandbox, StatusOfAnUnknownOneIsNotFound) {
  EXPECT_EQ(cri().PodSandboxStatus(std::string(64, 'e')).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(Sandbox, RemovalTakesItsContainersAlong) {
  Pod pod = RunPod();
  const std::string container = Start(pod, Idle());
  Must(cri().StopPodSandbox(pod.id));
  Must(cri().RemovePodSandbox(pod.id));
  EXPECT_EQ(cri().PodSandboxStatus(pod.id).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(cri().ContainerStatus(container).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(Sandbox, TakesNoContainerOnceStopped) {
  Pod pod = RunPod();
  Must(cri().StopPodSandbox(pod.id));
  EXPECT_FALSE(cri().CreateContainer(pod.id, Idle(), pod.config).ok());
}

TEST_F(Sandbox, WithoutANameIsRefusedWithTheField) {
  if (!suite().is_bulkhead()) GTEST_SKIP() << "another runtime may take it";
  auto config = PodConfig();
  config.mutable_metadata()->clear_name();
  auto refused = cri().RunPodSandbox(config);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.status().message()), testing::HasSubstr("name"));
}

TEST_F(Sandbox, AppliesSysctlsOfItsNamespaces) {
  auto config = PodConfig();
  (*config.mutable_linux()->mutable_sysctls())["kernel.shm_rmid_forced"] = "1";
  (*config.mutable_linux()->mutable_sysctls())["net.ipv4.ip_local_port_range"] = "2000 3000";
  Pod pod = RunPod(config);
  EXPECT_EQ(OutputOf(pod, Shell("cat /proc/sys/kernel/shm_rmid_forced "
                                "/proc/sys/net/ipv4/ip_local_port_range")),
            "1\n2000\t3000\n");
}

TEST_F(Sandbox, StatusTellsOfItsContainersToo) {
  Pod pod = RunPod();
  const std::string container = Start(pod, Idle());
  auto response = Must(cri().PodSandboxStatus(pod.id));
  if (!suite().is_bulkhead()) GTEST_SKIP() << "only with evented PLEG";
  ASSERT_THAT(response.containers_statuses(), SizeIs(1));
  EXPECT_EQ(response.containers_statuses(0).id(), container);
  EXPECT_EQ(response.containers_statuses(0).state(), v1::CONTAINER_RUNNING);
  EXPECT_GT(response.timestamp(), 0);
}

}  // namespace
}  // namespace bulkhead::fixture
