// The life of a container and what is told about it.
#include "tests/conformance/fixture/pod_test.h"
#include "tests/conformance/fixture/test_cgroup.h"

namespace bulkhead::fixture {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

class Container : public PodTest {
 protected:
  std::vector<v1::Container> List(const v1::ContainerFilter& filter) {
    return Must(cri().ListContainers(filter));
  }
};

TEST_F(Container, HasAnIdOf64HexDigits) {
  EXPECT_THAT(Create(RunPod(), Idle()), testing::MatchesRegex("[0-9a-f]{64}"));
}

TEST_F(Container, IsCreatedThenRunningThenExitedWithItsTimes) {
  const std::string id = Create(RunPod(), Shell("exit 0"));
  auto created = Status(id);
  EXPECT_EQ(created.state(), v1::CONTAINER_CREATED);
  EXPECT_GT(created.created_at(), 0);
  EXPECT_EQ(created.started_at(), 0);
  EXPECT_EQ(created.finished_at(), 0);
  Must(cri().StartContainer(id));
  auto ended = AwaitExit(id);
  EXPECT_EQ(ended.created_at(), created.created_at());
  EXPECT_GE(ended.started_at(), ended.created_at());
  EXPECT_GE(ended.finished_at(), ended.started_at());
  EXPECT_EQ(ended.exit_code(), 0);
  EXPECT_EQ(ended.reason(), "Completed");
}

TEST_F(Container, RunsOnceStarted) {
  const std::string id = Start(RunPod(), Idle());
  auto running = Status(id);
  EXPECT_EQ(running.state(), v1::CONTAINER_RUNNING);
  EXPECT_GT(running.started_at(), 0);
  EXPECT_EQ(running.finished_at(), 0);
}

TEST_F(Container, RunsNothingBeforeItIsStarted) {
  Pod pod = RunPod();
  auto config = Shell("touch /shared/ran");
  auto* mount = config.add_mounts();
  mount->set_host_path(folder());
  mount->set_container_path("/shared");
  const std::string id = Create(pod, config);
  EXPECT_FALSE(std::filesystem::exists(folder() / "ran"));
  Must(cri().StartContainer(id));
  AwaitExit(id);
  EXPECT_TRUE(std::filesystem::exists(folder() / "ran"));
}

TEST_F(Container, TellsTheExitCodeOfItsProgram) {
  auto status = RunToEnd(RunPod(), Shell("exit 42"));
  EXPECT_EQ(status.exit_code(), 42);
  EXPECT_EQ(status.reason(), "Error");
}

TEST_F(Container, TellsASignalAs128AndItsNumber) {
  // Not the first process of the PID namespace, whose default actions the kernel withholds.
  auto config = PodConfig();
  config.mutable_linux()->mutable_security_context()->mutable_namespace_options()->set_pid(v1::POD);
  Pod pod = RunPod(config);
  auto container = Shell("kill -SEGV $$");
  container.mutable_linux()->mutable_security_context()->mutable_namespace_options()->set_pid(
      v1::POD);
  EXPECT_EQ(RunToEnd(pod, container).exit_code(), 139);
}

TEST_F(Container, ThatOutgrowsItsMemoryIsOomKilled) {
  auto config = Command({"probe", "eat-forever"});
  config.mutable_linux()->mutable_resources()->set_memory_limit_in_bytes(32 << 20);
  auto status = RunToEnd(RunPod(), config);
  EXPECT_EQ(status.reason(), "OOMKilled");
  EXPECT_EQ(status.exit_code(), 137);
}

TEST_F(Container, DiesAsAWholeForItsMemoryWhereItsGroupIsAskedFor) {
  auto config = Shell("probe eat-forever; echo outlived; exit 3");
  auto* resources = config.mutable_linux()->mutable_resources();
  resources->set_memory_limit_in_bytes(32 << 20);
  (*resources->mutable_unified())["memory.oom.group"] = "1";
  Pod pod = RunPod();
  if (!IsCgroupV2()) {
    EXPECT_FALSE(cri().CreateContainer(pod.id, config, pod.config).ok()) << "v1 has no such thing";
    return;
  }
  const std::string id = Create(pod, config);
  Must(cri().StartContainer(id));
  const auto status = AwaitExit(id);
  EXPECT_EQ(status.reason(), "OOMKilled");
  EXPECT_EQ(status.exit_code(), 137);
  EXPECT_THAT(Log(id), testing::IsEmpty());
}

TEST_F(Container, WhoseProgramIsMissingCannotRun) {
  auto pod = RunPod();
  auto created = cri().CreateContainer(pod.id, Command({"/no/such/program"}), pod.config);
  const auto failed = created.ok() ? cri().StartContainer(*created) : created.status();
  ASSERT_FALSE(failed.ok());
  EXPECT_THAT(std::string(failed.message()), testing::HasSubstr("/no/such/program"));
  if (!created.ok()) return;
  auto status = Status(*created);
  EXPECT_EQ(status.state(), v1::CONTAINER_EXITED);
  EXPECT_NE(status.exit_code(), 0);
  EXPECT_THAT(status.reason(), testing::AnyOf("ContainerCannotRun", "StartError"));
}

TEST_F(Container, WhoseProgramIsNotExecutableCannotRun) {
  auto pod = RunPod();
  auto created = cri().CreateContainer(pod.id, Command({"/etc/not-a-program"}), pod.config);
  const auto failed = created.ok() ? cri().StartContainer(*created) : created.status();
  ASSERT_FALSE(failed.ok());
  EXPECT_THAT(std::string(failed.message()), testing::HasSubstr("/etc/not-a-program"));
}

TEST_F(Container, KeepsMetadataLabelsAndAnnotations) {
  Pod pod = RunPod();
  auto config = Idle();
  config.mutable_metadata()->set_attempt(7);
  (*config.mutable_labels())["role"] = "main";
  (*config.mutable_annotations())["hash"] = "abc";
  auto status = Status(Create(pod, config));
  EXPECT_EQ(status.metadata().name(), config.metadata().name());
  EXPECT_EQ(status.metadata().attempt(), 7u);
  EXPECT_EQ(status.labels().at("role"), "main");
  EXPECT_EQ(status.annotations().at("hash"), "abc");
}

TEST_F(Container, TellsItsImageAsAskedForAndByDigest) {
  auto status = Status(Create(RunPod(), Idle()));
  auto image = Must(cri().ImageStatus(suite().busybox())).image();
  EXPECT_EQ(status.image().image(), suite().busybox());
  EXPECT_EQ(status.image_id(), image.id());
  EXPECT_THAT(status.image_ref(), testing::AnyOf(image.id(), image.repo_digests(0)));
}

TEST_F(Container, TellsItsLogPathAndMounts) {
  Pod pod = RunPod();
  auto config = Idle();
  auto* mount = config.add_mounts();
  mount->set_host_path(folder());
  mount->set_container_path("/volume");
  mount->set_readonly(true);
  auto status = Status(Create(pod, config));
  EXPECT_EQ(status.log_path(), pod.config.log_directory() + "/" + config.log_path());
  ASSERT_THAT(status.mounts(), SizeIs(1));
  EXPECT_EQ(status.mounts(0).container_path(), "/volume");
  EXPECT_EQ(status.mounts(0).host_path(), folder().string());
  EXPECT_TRUE(status.mounts(0).readonly());
}

TEST_F(Container, IsListedWithItsPodAndState) {
  Pod pod = RunPod();
  const std::string id = Start(pod, Idle());
  v1::ContainerFilter filter;
  filter.set_pod_sandbox_id(pod.id);
  auto listed = List(filter);
  ASSERT_THAT(listed, SizeIs(1));
  EXPECT_EQ(listed[0].id(), id);
  EXPECT_EQ(listed[0].pod_sandbox_id(), pod.id);
  EXPECT_EQ(listed[0].state(), v1::CONTAINER_RUNNING);
}

TEST_F(Container, IsFoundByAPrefixOfItsIdAndItsState) {
  Pod pod = RunPod();
  const std::string id = Create(pod, Idle());
  v1::ContainerFilter filter;
  filter.set_id(id.substr(0, 16));
  EXPECT_THAT(List(filter), SizeIs(1));
  filter.mutable_state()->set_state(v1::CONTAINER_RUNNING);
  EXPECT_THAT(List(filter), IsEmpty());
  filter.mutable_state()->set_state(v1::CONTAINER_CREATED);
  EXPECT_THAT(List(filter), SizeIs(1));
}

TEST_F(Container, IsFilteredByAllLabelsOfTheSelector) {
  Pod pod = RunPod();
  auto config = Idle();
  (*config.mutable_labels())["a"] = pod.id;
  (*config.mutable_labels())["b"] = "2";
  Create(pod, config);
  v1::ContainerFilter filter;
  (*filter.mutable_label_selector())["a"] = pod.id;
  EXPECT_THAT(List(filter), SizeIs(1));
  (*filter.mutable_label_selector())["b"] = "3";
  EXPECT_THAT(List(filter), IsEmpty());
}

TEST_F(Container, IsRemovedInEachState) {
  Pod pod = RunPod();
  const std::string created = Create(pod, Idle());
  const std::string running = Start(pod, Idle());
  const std::string ended = Start(pod, Shell("true"));
  AwaitExit(ended);
  for (const std::string& id : {created, running, ended}) {
    EXPECT_TRUE(cri().RemoveContainer(id).ok());
    EXPECT_EQ(cri().ContainerStatus(id).status().code(), absl::StatusCode::kNotFound);
  }
}

TEST_F(Container, StopAndRemoveMayBeRepeated) {
  Pod pod = RunPod();
  const std::string id = Start(pod, Idle());
  EXPECT_TRUE(cri().StopContainer(id, std::chrono::seconds(10)).ok());
  EXPECT_TRUE(cri().StopContainer(id, std::chrono::seconds(10)).ok());
  EXPECT_TRUE(cri().RemoveContainer(id).ok());
  EXPECT_TRUE(cri().RemoveContainer(id).ok());
  EXPECT_TRUE(cri().StopContainer(id, std::chrono::seconds(10)).ok());
}

TEST_F(Container, StopAndRemoveOfAnUnknownOneSucceed) {
  const std::string unknown(64, 'e');
  EXPECT_TRUE(cri().StopContainer(unknown, std::chrono::seconds(1)).ok());
  EXPECT_TRUE(cri().RemoveContainer(unknown).ok());
}

TEST_F(Container, StatusOfAnUnknownOneIsNotFound) {
  EXPECT_EQ(cri().ContainerStatus(std::string(64, 'e')).status().code(),
            absl::StatusCode::kNotFound);
}

TEST_F(Container, ThatEndedIsNotStartedAgain) {
  const std::string id = Start(RunPod(), Shell("true"));
  AwaitExit(id);
  EXPECT_FALSE(cri().StartContainer(id).ok());
}

TEST_F(Container, OfAnImageThatIsNotHereIsRefused) {
  Pod pod = RunPod();
  auto config = Idle();
  config.mutable_image()->set_image("127.0.0.1:1/never/pulled:1");
  EXPECT_FALSE(cri().CreateContainer(pod.id, config, pod.config).ok());
}

TEST_F(Container, RunsAgainAsANewAttempt) {
  Pod pod = RunPod();
  auto config = Shell("echo attempt; exit 1");
  const std::string first = Start(pod, config);
  AwaitExit(first);
  config.mutable_metadata()->set_attempt(1);
  config.set_log_path("second.log");
  const std::string second = Start(pod, config);
  EXPECT_EQ(AwaitExit(second).exit_code(), 1);
  EXPECT_NE(first, second);
  EXPECT_EQ(client::StreamOf(Log(first), "stdout"), "attempt\n");
}

}  // namespace
}  // namespace bulkhead::fixture
