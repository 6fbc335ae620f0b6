// Limits of a container, as its cgroups have them.
#include <unistd.h>

#include <chrono>
#include <map>

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
  resources->set_memory_swap_limit_in_bytes(96 * kMebibyte);
  Start(RunPod(), config);
  // v2 counts swap by itself, v1 together with memory.
  const std::string file = IsCgroupV2() ? "memory.swap.max" : "memory.memsw.limit_in_bytes";
  const auto path = CgroupOf(Pid(), "memory") / file;
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "no swap accounting in this kernel";
  EXPECT_EQ(ReadFile(path), std::to_string((IsCgroupV2() ? 32 : 96) * kMebibyte) + "\n");
}

TEST_F(Resources, TellTheContainerItsOwnPressureOnV2) {
  const bool told = IsCgroupV2() && std::filesystem::exists("/proc/pressure/memory");
  const std::string output =
      OutputOf(RunPod(), Shell("cat /sys/fs/cgroup/memory.pressure 2>/dev/null || echo none"));
  EXPECT_THAT(output, testing::StartsWith(told ? "some avg10=" : "none"));
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

TEST_F(Resources, OfTheUnifiedMapAreFilesOfV2) {
  const std::map<std::string, std::string> files = {{"memory.min", "1048576"},
                                                    {"memory.low", "2097152"},
                                                    {"memory.high", "33554432"},
                                                    {"pids.max", "77"},
                                                    {"cpu.weight", "321"}};
  auto config = Marked();
  config.mutable_linux()->mutable_resources()->mutable_unified()->insert(files.begin(),
                                                                         files.end());
  Pod pod = RunPod();
  if (!IsCgroupV2()) {
    EXPECT_FALSE(cri().CreateContainer(pod.id, config, pod.config).ok()) << "v1 has no such files";
    return;
  }
  Start(pod, config);
  for (const auto& [file, value] : files) {
    EXPECT_EQ(Value("memory", "", file), value) << file;
  }
}

TEST_F(Resources, LimitAProcessorHogToItsQuota) {
  auto config = Shell("while :; do :; done");
  config.mutable_linux()->mutable_resources()->set_cpu_quota(20000);
  config.mutable_linux()->mutable_resources()->set_cpu_period(100000);
  Start(RunPod(), config);
  const auto& command = config.command();
  const std::vector<std::string> arguments(command.begin(), command.end());
  Await([&] { return HostPid(arguments) != 0; }, "the hog");
  const auto cgroup = CgroupOf(HostPid(arguments), "cpu");
  const auto throttled = [&] { return Statistic(cgroup / "cpu.stat", "nr_throttled"); };
  Await([&] { return throttled() > 0; }, "the hog to reach its quota");
  const int64_t before = throttled();
  const auto begin = std::chrono::steady_clock::now();
  const std::chrono::nanoseconds used = ProcessorTimeOf(HostPid(arguments));
  Await([&] { return throttled() >= before + 60; }, "sixty periods");
  const std::chrono::nanoseconds more = ProcessorTimeOf(HostPid(arguments)) - used;
  const std::chrono::nanoseconds passed = std::chrono::steady_clock::now() - begin;
  const double share = static_cast<double>(more.count()) / static_cast<double>(passed.count());
  // In a period in which it was throttled it had all of its quota, however busy the machine is.
  const auto quota = std::chrono::milliseconds(20) * (throttled() - before);
  const double part = static_cast<double>(more.count()) /
                      static_cast<double>(std::chrono::nanoseconds(quota).count());
  RecordProperty("share", std::to_string(share));
  RecordProperty("part_of_quota", std::to_string(part));
  EXPECT_LT(share, 0.20 * 1.05);
  EXPECT_GT(part, 0.95);
}

TEST_F(Resources, LimitAForkBombAndItAlone) {
  TestCgroup parent("bulkhead_test_bomb");
  parent.LimitPids(200);
  auto pod_config = PodConfig();
  pod_config.mutable_linux()->set_cgroup_parent(parent.name());
  const std::string other = Start(RunPod(), Idle());
  Pod pod = RunPod(pod_config);
  Start(pod, Command({"probe", "fork-forever"}));
  Await([&] { return parent.RefusedForks() > 0; }, "a fork that is refused");
  EXPECT_LE(parent.ProcessCount(), 200);
  EXPECT_EQ(Exec(other, "echo calm"), "calm\n");
  Must(cri().StopPodSandbox(pod.id));
  EXPECT_EQ(parent.ProcessCount(), 0);
  Must(cri().RemovePodSandbox(pod.id));
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
  TestCgroup parent("bulkhead_test_parent");
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

TEST_F(Resources, OfAPodAreToldOnceTheyWereUpdated) {
  Pod pod = RunPod();
  v1::LinuxContainerResources overhead;
  overhead.set_cpu_shares(64);
  v1::LinuxContainerResources resources;
  resources.set_memory_limit_in_bytes(64 * kMebibyte);
  Must(cri().UpdatePodSandboxResources(pod.id, overhead, resources));
  if (!suite().is_bulkhead()) return;  // Where a runtime tells them is its own matter.
  const std::string info = Must(cri().PodSandboxStatus(pod.id, true)).info().at("info");
  EXPECT_THAT(info, testing::HasSubstr("\"memoryLimitInBytes\":\"67108864\""));
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
