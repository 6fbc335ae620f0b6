// Limits of a container, as its cgroups have them.
#include <unistd.h>

#include "tests/conformance/fixture/pod_test.h"
#include "tests/conformance/fixture/test_cgroup.h"

namespace bulkhead::fixture {
namespace {

constexpr int64_t kMebibyte = 1 << 20;

class Resources : public PodTest {
 protected:
  // A container whose process on the host is found by an argument of its own.
  v1::ContainerConfig Marked() {
    marker_ = std::to_string(7000000 + getpid() * 100 + ++count_);
    return Command({"sleep", marker_});
  }
  pid_t Pid() {
    // A runtime may answer to StartContainer before the program is executed.
    pid_t pid = 0;
    Await([&] { return (pid = HostPid({"sleep", marker_})) != 0; }, "the container's process");
    return pid;
  }
  std::string Value(const std::string& controller, const std::string& v1_file,
                    const std::string& v2_file) {
    return CgroupValue(Pid(), controller, v1_file, v2_file);
  }
  std::string Memory() { return Value("memory", "memory.limit_in_bytes", "memory.max"); }
  // "quota period" on both.
  std::string Cpu() {
    const std::string quota = Value("cpu", "cpu.cfs_quota_us", "cpu.max");
    if (quota.find(' ') != std::string::npos) return quota;
    return quota + " " + Value("cpu", "cpu.cfs_period_us", "cpu.max");
  }

 private:
  std::string marker_;
  int count_ = 0;
};

TEST_F(Resources, LimitMemoryAndCpu) {
  auto config = Marked();
  auto* resources = config.mutable_linux()->mutable_resources();
  resources->set_memory_limit_in_bytes(64 * kMebibyte);
  resources->set_cpu_quota(50000);
  resources->set_cpu_period(100000);
  resources->set_cpu_shares(512);
  Start(RunPod(), config);
  EXPECT_EQ(Memory(), std::to_string(64 * kMebibyte));
  EXPECT_EQ(Cpu(), "50000 100000");
  // 512 of v1's range is 20 of v2's.
  EXPECT_THAT(Value("cpu", "cpu.shares", "cpu.weight"), testing::AnyOf("512", "20", "59"));
}

TEST_F(Resources, LimitProcessorsByNumber) {
  auto config = Marked();
  config.mutable_linux()->mutable_resources()->set_cpuset_cpus("0");
  Start(RunPod(), config);
  EXPECT_EQ(Value("cpuset", "cpuset.cpus", "cpuset.cpus"), "0");
}

TEST_F(Resources, LimitSwapTogetherWithMemory) {
  auto config = Marked();
  auto* resources = config.mutable_linux()->mutable_resources();
  resources->set_memory_limit_in_bytes(64 * kMebibyte);
  resources->set_memory_swap_limit_in_bytes(64 * kMebibyte);
  Start(RunPod(), config);
  const std::string file = CgroupOf(Pid(), "memory") / "memory.memsw.limit_in_bytes";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "no swap accounting in this kernel";
  EXPECT_EQ(ReadFile(file), std::to_string(64 * kMebibyte) + "\n");
}

TEST_F(Resources, AreUpdatedWhileItRuns) {
  auto config = Marked();
  config.mutable_linux()->mutable_resources()->set_memory_limit_in_bytes(64 * kMebibyte);
  const std::string id = Start(RunPod(), config);
  v1::LinuxContainerResources update;
  update.set_memory_limit_in_bytes(128 * kMebibyte);
  update.set_cpu_quota(20000);
  update.set_cpu_period(100000);
  Must(cri().UpdateContainerResources(id, update));
  EXPECT_EQ(Memory(), std::to_string(128 * kMebibyte));
  EXPECT_EQ(Cpu(), "20000 100000");
}

TEST_F(Resources, AreUpdatedBeforeItRuns) {
  const std::string id = Create(RunPod(), Marked());
  v1::LinuxContainerResources update;
  update.set_memory_limit_in_bytes(96 * kMebibyte);
  Must(cri().UpdateContainerResources(id, update));
  Must(cri().StartContainer(id));
  EXPECT_EQ(Memory(), std::to_string(96 * kMebibyte));
}

TEST_F(Resources, AreTold) {
  auto config = Marked();
  config.mutable_linux()->mutable_resources()->set_memory_limit_in_bytes(64 * kMebibyte);
  const std::string id = Start(RunPod(), config);
  EXPECT_EQ(Status(id).resources().linux().memory_limit_in_bytes(), 64 * kMebibyte);
  v1::LinuxContainerResources update;
  update.set_memory_limit_in_bytes(128 * kMebibyte);
  Must(cri().UpdateContainerResources(id, update));
  EXPECT_EQ(Status(id).resources().linux().memory_limit_in_bytes(), 128 * kMebibyte);
}

TEST_F(Resources, LieBelowTheCgroupOfTheKubelet) {
  TestCgroup parent("bulkhead-test-parent");
  auto pod_config = PodConfig();
  pod_config.mutable_linux()->set_cgroup_parent(parent.name());
  Pod pod = RunPod(pod_config);
  const std::string id = Start(pod, Marked());
  const std::string path = CgroupOf(Pid(), "memory");
  EXPECT_THAT(path, testing::HasSubstr(parent.name() + "/"));
  // cAdvisor finds a container by its id in the path.
  EXPECT_THAT(path, testing::HasSubstr(id));
  Must(cri().StopPodSandbox(pod.id));
  Must(cri().RemovePodSandbox(pod.id));
}

TEST_F(Resources, OfAnUnknownContainerAreNotFound) {
  EXPECT_EQ(cri().UpdateContainerResources(std::string(64, 'e'), {}).code(),
            absl::StatusCode::kNotFound);
}

TEST_F(Resources, UnlimitedHugepagesOfEverySizeAreTolerated) {
  auto config = Shell("true");
  for (const char* size : {"2MB", "1GB"}) {
    auto* limit = config.mutable_linux()->mutable_resources()->add_hugepage_limits();
    limit->set_page_size(size);
    limit->set_limit(0);
  }
  EXPECT_EQ(RunToEnd(RunPod(), config).exit_code(), 0);
}

}  // namespace
}  // namespace bulkhead::fixture
