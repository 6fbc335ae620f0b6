#include <fstream>

#include "tests/unit/pods/pods_test.h"

namespace bulkhead::pods {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CreateContainer : public PodsTest {};

TEST_F(CreateContainer, TellsWhatTheImageAndTheFilesInItSay) {
  const std::string id = Create(Run(PodOf("web")), ContainerOf("c"));
  const ContainerStatus status = StatusOf(id);
  EXPECT_EQ(status.state, ContainerState::kCreated);
  EXPECT_EQ(status.image_id, "sha256:1");
  EXPECT_EQ(status.image_ref, "busybox@sha256:2");
  EXPECT_EQ(status.stop_signal, "SIGQUIT");
  EXPECT_EQ(status.user.uid, 7u);
}

TEST_F(CreateContainer, PrefersTheSpecsStopSignal) {
  spec::ContainerSpec container = ContainerOf("c");
  container.stop_signal = "SIGUSR1";
  EXPECT_EQ(StatusOf(Create(Run(PodOf("web")), container)).stop_signal, "SIGUSR1");
}

TEST_F(CreateContainer, FailsForAnUnknownSandbox) {
  const auto id = pods_->CreateContainer("0123", ContainerOf("c"));
  EXPECT_EQ(id.status().code(), absl::StatusCode::kNotFound);
}

TEST_F(CreateContainer, FailsInAStoppedSandbox) {
  const std::string pod = Run(PodOf("web"));
  ASSERT_TRUE(pods_->StopPodSandbox(pod).ok());
  const auto id = pods_->CreateContainer(pod, ContainerOf("c"));
  EXPECT_EQ(id.status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(CreateContainer, NamesAnImageThatIsNotThere) {
  spec::ContainerSpec container = ContainerOf("c");
  container.image = "nginx";
  const auto id = pods_->CreateContainer(Run(PodOf("web")), container);
  EXPECT_EQ(id.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(id.status().message()), HasSubstr("nginx"));
}

spec::Mount ImageVolume(const std::string& image, const std::string& path) {
  return {.container_path = path, .readonly = true, .image = image};
}

TEST_F(CreateContainer, KeepsTheImagesOfItsVolumesUntilItIsRemoved) {
  const std::string pod = Run(PodOf("web"));
  spec::ContainerSpec container = ContainerOf("c");
  container.mounts = {ImageVolume("data", "/a"), ImageVolume("busybox", "/b"),
                      ImageVolume("data", "/c")};
  const std::string id = Create(pod, container);
  EXPECT_THAT(images_->leases, ::testing::UnorderedElementsAre(std::pair(id, "sha256:1"),
                                                               std::pair(id, "sha256:3")));
  const std::map<std::string, std::string> ids = {{"data", "sha256:3"}, {"busybox", "sha256:1"}};
  EXPECT_EQ(StatusOf(id).volume_images, ids);
  Restart();
  EXPECT_EQ(StatusOf(id).volume_images, ids);
  ASSERT_TRUE(pods_->RemoveContainer(id).ok());
  EXPECT_THAT(images_->leases, IsEmpty());
}

TEST_F(CreateContainer, NamesAVolumesImageThatIsNotThere) {
  const std::string pod = Run(PodOf("web"));
  const auto files = Files();
  spec::ContainerSpec container = ContainerOf("c");
  container.mounts = {ImageVolume("data", "/a"), ImageVolume("nginx", "/b")};
  const auto id = pods_->CreateContainer(pod, container);
  EXPECT_EQ(id.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(id.status().message()), HasSubstr("mounts[1].image.image \"nginx\""));
  EXPECT_EQ(Files(), files);
  EXPECT_THAT(images_->leases, IsEmpty());
}

TEST_F(CreateContainer, GivesUpItsOwnImageWhenThatOfAVolumeIsGone) {
  const std::string pod = Run(PodOf("web"));
  spec::ContainerSpec container = ContainerOf("c");
  container.mounts = {ImageVolume("data", "/a")};
  steps_.Fail("Acquire sha256:3", absl::NotFoundError("image sha256:3 is not here"));
  const auto id = pods_->CreateContainer(pod, container);
  EXPECT_EQ(id.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(images_->leases, IsEmpty());
}

TEST_F(CreateContainer, RefusesAStopSignalThatIsNone) {
  spec::ContainerSpec container = ContainerOf("c");
  container.stop_signal = "SIGNONE";
  const auto id = pods_->CreateContainer(Run(PodOf("web")), container);
  EXPECT_EQ(id.status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(CreateContainer, TakesAsTargetOnlyARunningContainerOfItsSandbox) {
  const std::string pod = Run(PodOf("web"));
  const std::string target = Create(pod, ContainerOf("target"));
  spec::ContainerSpec container = ContainerOf("debug");
  container.security.namespaces.pid = spec::NamespaceMode::kTarget;
  container.security.namespaces.target_id = target;
  EXPECT_EQ(pods_->CreateContainer(pod, container).status().code(),
            absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(pods_->StartContainer(target).ok());
  EXPECT_TRUE(pods_->CreateContainer(pod, container).ok());
}

TEST_F(CreateContainer, MakesTheLogsFolder) {
  spec::PodSpec pod = PodOf("web");
  pod.log_directory = root_ + "/logs/web";
  spec::ContainerSpec container = ContainerOf("c");
  container.log_path = "c/0.log";
  EXPECT_EQ(StatusOf(Create(Run(pod), container)).log_path, root_ + "/logs/web/c/0.log");
  EXPECT_TRUE(std::ofstream(root_ + "/logs/web/c/0.log").good());
}

TEST_F(CreateContainer, LetsItsSandboxGoThoughAFailureCouldNotBeUndone) {
  const std::string pod = Run(PodOf("web"));
  steps_.Fail("CreateContainer", absl::InternalError("bad luck"));
  steps_.Fail("RemoveCgroup", absl::DeadlineExceededError("busy"), 3);
  EXPECT_FALSE(pods_->CreateContainer(pod, ContainerOf("c")).ok());
  // The failures may meet the calls or the background's own tries.
  while (!pods_->StopPodSandbox(pod).ok()) {
  }
  while (!pods_->RemovePodSandbox(pod).ok()) {
  }
  ExpectNothingLeft();
}

class FailedCreateContainer : public PodsTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(FailedCreateContainer, LeavesTheSandboxAsItWas) {
  const std::string pod = Run(PodOf("web"));
  const auto files = Files();
  const auto left = host_->Left();
  steps_.Fail(GetParam(), absl::ResourceExhaustedError("no space left"));
  const auto failed = pods_->CreateContainer(pod, ContainerOf("c"));
  EXPECT_EQ(failed.status().code(), absl::StatusCode::kResourceExhausted) << failed.status();
  EXPECT_EQ(Files(), files);
  EXPECT_THAT(images_->leases, IsEmpty());
  EXPECT_THAT(pods_->ListContainers({}), IsEmpty());
  EXPECT_TRUE(pods_->CreateContainer(pod, ContainerOf("c")).ok());
  ASSERT_TRUE(pods_->RemovePodSandbox(pod).ok());
  ExpectNothingLeft();
}

INSTANTIATE_TEST_SUITE_P(Steps, FailedCreateContainer,
                         ::testing::Values("Find", "Acquire", "CreateCgroup", "Confine",
                                           "CreateContainer"));

}  // namespace
}  // namespace bulkhead::pods
