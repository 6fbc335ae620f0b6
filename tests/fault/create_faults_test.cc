// What goes wrong while pods and containers are made.
#include <thread>

#include "tests/conformance/fixture/image_builder.h"
#include "tests/fault/fault_test.h"

namespace bulkhead::fault {
namespace {

using fixture::Must;
using fixture::Pod;
using fixture::WriteFile;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

namespace v1 = ::runtime::v1;

class Create : public FaultTest {
 protected:
  // A container that must not come to run, with the reason in the error.
  std::string Refusal(const Pod& pod, const v1::ContainerConfig& config) {
    auto created = cri().CreateContainer(pod.id, config, pod.config);
    absl::Status status = created.status();
    if (created.ok()) status = cri().StartContainer(*created);
    EXPECT_FALSE(status.ok());
    return std::string(status.message());
  }
};

TEST_F(Create, FailsOfAnImageThatIsMissing) {
  auto config = Idle();
  config.mutable_image()->set_image("127.0.0.1:1/never/pulled:1");
  EXPECT_THAT(Refusal(RunPod(), config), HasSubstr("never/pulled"));
}

TEST_F(Create, FailsOfAnImageVolumeThatCannotBe) {
  auto config = Idle();
  v1::Mount& mount = *config.add_mounts();
  mount.set_container_path("/volume");
  mount.set_readonly(true);
  mount.mutable_image()->set_image(suite().busybox());
  mount.set_image_sub_path("no/such/path");
  const Pod pod = RunPod();
  EXPECT_THAT(Refusal(pod, config), HasSubstr("image_sub_path \"no/such/path\""));
  mount.clear_image_sub_path();
  mount.mutable_image()->set_image("127.0.0.1:1/never/pulled:1");
  EXPECT_THAT(Refusal(pod, config), HasSubstr("never/pulled"));
  // A failure after the volume was made.
  mount.mutable_image()->set_image(suite().busybox());
  config.mutable_linux()->mutable_security_context()->set_run_as_username("nobody-here");
  EXPECT_THAT(Refusal(pod, config), HasSubstr("nobody-here"));
}

TEST_F(Create, FailsOfAVolumeWhosePathCannotBe) {
  WriteFile(folder() / "file", "");
  auto config = Idle();
  config.add_mounts()->set_host_path(folder() / "file/below");
  config.mutable_mounts(0)->set_container_path("/volume");
  EXPECT_THAT(Refusal(RunPod(), config), HasSubstr("file/below"));
}

TEST_F(Create, FailsOfAProgramThatIsNotExecutable) {
  EXPECT_THAT(Refusal(RunPod(), Command({"/etc/not-a-program"})), HasSubstr("not-a-program"));
}

TEST_F(Create, FailsOfAProgramThatIsMissing) {
  EXPECT_THAT(Refusal(RunPod(), Command({"/no/such/program"})), HasSubstr("/no/such/program"));
}

TEST_F(Create, FailsOfAnUnknownUser) {
  auto config = Idle();
  config.mutable_linux()->mutable_security_context()->set_run_as_username("nobody-here");
  EXPECT_THAT(Refusal(RunPod(), config), HasSubstr("nobody-here"));
}

TEST_F(Create, FailsOfAWorkingDirectoryBelowAFile) {
  auto config = Idle();
  config.set_working_dir("/etc/passwd/below");
  EXPECT_THAT(Refusal(RunPod(), config), HasSubstr("/etc/passwd/below"));
}

TEST_F(Create, FailsOfALogFolderThatIsAFile) {
  WriteFile(folder() / "file", "");
  auto config = PodConfig();
  config.set_log_directory(folder() / "file");
  auto run = cri().RunPodSandbox(config);
  if (run.ok()) {
    EXPECT_THAT(Refusal({*run, config}, Idle()), HasSubstr("file"));
  }
}

TEST_F(Create, TakesOrRefusesTheSameMountTwice) {
  Pod pod = RunPod();
  auto config = Shell("true");
  for (int i = 0; i < 2; ++i) {
    auto* mount = config.add_mounts();
    mount->set_host_path(folder());
    mount->set_container_path("/volume");
  }
  auto created = cri().CreateContainer(pod.id, config, pod.config);
  if (created.ok()) {
    EXPECT_TRUE(cri().StartContainer(*created).ok());
  }
}

TEST_F(Create, FailsOfABadCgroupParent) {
  for (const char* parent : {"../escape", "/a/../../escape", "/"}) {
    auto config = PodConfig();
    config.mutable_linux()->set_cgroup_parent(parent);
    auto refused = cri().RunPodSandbox(config).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << parent;
    EXPECT_THAT(std::string(refused.message()), HasSubstr("cgroup_parent"));
  }
}

TEST_F(Create, FailsOfAMemoryLimitThatTheKernelRefuses) {
  auto config = Idle();
  config.mutable_linux()->mutable_resources()->set_cpuset_cpus("900");
  EXPECT_THAT(Refusal(RunPod(), config), HasSubstr("900"));
}

TEST_F(Create, IsFinishedOrUndoneWhenTheClientLeavesAtAnyMoment) {
  for (int after = 1; after <= 60; after += 4) {
    auto config = PodConfig();
    auto id = cri().RunPodSandbox(config, "", {.deadline = milliseconds(after)});
    if (!id.ok()) continue;
    cri().CreateContainer(*id, Idle(), config, {.deadline = milliseconds(after)}).IgnoreError();
  }
}

TEST_F(Create, IsUndoneWhenTheDaemonIsKilledAtAnyMoment) {
  for (int after = 2; after <= 62; after += 10) {
    const auto config = PodConfig();
    std::thread kubelet([&] {
      auto id = cri().RunPodSandbox(config);
      if (!id.ok()) return;
      auto container = cri().CreateContainer(*id, Idle(), config);
      if (container.ok()) cri().StartContainer(*container).IgnoreError();
    });
    std::this_thread::sleep_for(milliseconds(after));
    daemon().Kill();
    kubelet.join();
    daemon().Start();
    // The kubelet tries again.
    EXPECT_TRUE(cri().RunPodSandbox(config).ok());
  }
}

}  // namespace
}  // namespace bulkhead::fault
