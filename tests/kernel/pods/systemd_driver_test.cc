// The systemd cgroup driver against a running systemd.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "runtime/isolation/systemd_bus.h"
#include "runtime/supervisor/place_holder.h"
#include "runtime/supervisor/spawn.h"
#include "shim/pods/linux_host.h"
#include "tests/kernel/pods/real_pods.h"

namespace bulkhead::pods {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kTree[] = "/sys/fs/cgroup";

std::string Slurp(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::string Output(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  std::string output;
  char buffer[4096];
  while (fgets(buffer, sizeof(buffer), pipe) != nullptr) output += buffer;
  EXPECT_EQ(pclose(pipe), 0) << command;
  return output;
}

bool Exists(const std::string& path) {
  struct stat st;
  return stat(path.c_str(), &st) == 0;
}

class SystemdDriver : public RealPods {
 protected:
  void SetUp() override {
    if (!Exists("/run/systemd/system")) GTEST_SKIP() << "systemd does not run here";
    if (!Exists(absl::StrCat(kTree, "/cgroup.controllers"))) GTEST_SKIP() << "cgroup v1";
    Close();
    config_.cgroup.driver = "systemd";
    Open();
  }

  // As the kubelet names it; made by the first container in it.
  std::string Slice() const { return absl::StrCat("bulkhead_test_", Mark(), "-pod1.slice"); }
  spec::PodSpec PodInSlice() {
    spec::PodSpec pod = PodOf("web");
    pod.cgroup_parent = Slice();
    return pod;
  }
  std::string DirectoryOf(const std::string& id) {
    const std::string membership = Slurp(absl::StrCat("/proc/", StatusOf(id).pid, "/cgroup"));
    return kTree + membership.substr(3, membership.size() - 4);
  }
  std::string Units() { return Output("systemctl list-units --all --plain --no-legend"); }
  // systemd removes a scope by itself, some time after its last process.
  bool AwaitRemoval(const std::string& directory) {
    for (int i = 0; i < 2000 && Exists(directory); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return !Exists(directory);
  }
};

TEST_F(SystemdDriver, MakesAScopeInThePodsSlice) {
  const std::string id = Start(Run(PodInSlice()), ContainerOf("c", "exec sleep 1000"));
  const std::string directory = DirectoryOf(id);
  EXPECT_THAT(directory, EndsWith(absl::StrCat("/", Slice(), "/bulkhead-", id, ".scope")));
  EXPECT_EQ(Slurp(directory + "/cgroup.procs"), absl::StrCat(StatusOf(id).pid, "\n"));
  EXPECT_THAT(Units(), HasSubstr(absl::StrCat("bulkhead-", id, ".scope")));
}

TEST_F(SystemdDriver, LeavesNoUnitBehind) {
  spec::PodSpec shared = PodInSlice();
  shared.security.namespaces.pid = spec::NamespaceMode::kPod;
  spec::ContainerSpec container = ContainerOf("c", "exec sleep 1000");
  container.security.namespaces.pid = spec::NamespaceMode::kPod;
  const std::string pod = Run(shared);
  Start(pod, container);
  Create(pod, ContainerOf("created", "true"));
  EXPECT_THAT(Units(), HasSubstr(absl::StrCat("bulkhead-", pod, ".scope")));
  ASSERT_TRUE(pods_->RemovePodSandbox(pod).ok());
  EXPECT_THAT(Units(), Not(HasSubstr(Mark())));
  EXPECT_THAT(Units(), Not(HasSubstr(pod)));
}

TEST_F(SystemdDriver, KeepsLimitsOverReloadAndReexec) {
  spec::ContainerSpec container = ContainerOf("c", "exec sleep 1000");
  container.resources = {.cpu_period = 100'000,
                         .cpu_quota = 50'000,
                         .cpu_shares = 512,
                         .memory_limit = 64 << 20,
                         .memory_swap_limit = 64 << 20,
                         .cpuset_cpus = "0",
                         .cpuset_mems = "0",
                         .unified = {{"memory.oom.group", "1"}, {"memory.high", "50331648"}}};
  const std::string id = Start(Run(PodInSlice()), container);
  const std::string directory = DirectoryOf(id);
  const spec::Resources update = {.memory_limit = 80 << 20, .memory_swap_limit = 80 << 20};
  ASSERT_TRUE(pods_->UpdateContainerResources(id, update).ok());
  // Opened with another's permission it would be read: the filter of devices is ours, not
  // systemd's.
  const std::vector<std::string> open_memory = {
      "/bin/sh", "-c", "busybox mknod /tmp/m c 1 1; busybox head -c 1 /tmp/m"};
  for (const char* command : {"true", "systemctl daemon-reload", "systemctl daemon-reexec"}) {
    SCOPED_TRACE(command);
    Output(command);
    EXPECT_EQ(Slurp(directory + "/cpu.max"), "50000 100000\n");
    EXPECT_EQ(Slurp(directory + "/cpu.weight"), "59\n");
    EXPECT_EQ(Slurp(directory + "/memory.max"), absl::StrCat(80 << 20, "\n"));
    EXPECT_EQ(Slurp(directory + "/memory.swap.max"), "0\n");
    EXPECT_EQ(Slurp(directory + "/memory.high"), "50331648\n");
    EXPECT_EQ(Slurp(directory + "/memory.oom.group"), "1\n");
    EXPECT_EQ(Slurp(directory + "/pids.max"), "max\n");
    EXPECT_EQ(Slurp(directory + "/cpuset.cpus"), "0\n");
    const auto opened = pods_->ExecSync(id, open_memory, std::chrono::seconds(20));
    ASSERT_TRUE(opened.ok()) << opened.status();
    EXPECT_THAT(opened->standard_error, HasSubstr("Operation not permitted"));
  }
}

TEST_F(SystemdDriver, RoundsAQuotaInItsPropertyOnly) {
  spec::ContainerSpec container = ContainerOf("c", "exec sleep 1000");
  container.resources = {.cpu_period = 100'000, .cpu_quota = 12'345};
  const std::string id = Start(Run(PodInSlice()), container);
  EXPECT_EQ(Slurp(DirectoryOf(id) + "/cpu.max"), "12345 100000\n");
  ASSERT_TRUE(
      pods_->UpdateContainerResources(id, {.cpu_period = 100'000, .cpu_quota = 3'210}).ok());
  EXPECT_EQ(Slurp(DirectoryOf(id) + "/cpu.max"), "3210 100000\n");
}

TEST_F(SystemdDriver, LeavesNoUnitOfAContainerKilledForItsMemory) {
  spec::ContainerSpec container = ContainerOf("hog", "x=a; while :; do x=$x$x$x$x; done");
  container.resources = {.memory_limit = 16 << 20, .memory_swap_limit = 16 << 20};
  const std::string pod = Run(PodInSlice());
  for (const char* group : {"0", "1"}) {
    container.metadata.name = absl::StrCat("hog", group);
    container.resources.unified["memory.oom.group"] = group;
    const std::string id = Start(pod, container);
    const ContainerStatus status = AwaitExit(id);
    EXPECT_EQ(status.exit_code, 137);
    // Though systemd may have taken the empty scope away with its counters.
    EXPECT_EQ(status.reason, "OOMKilled");
    EXPECT_THAT(Units(), Not(HasSubstr(id)));
  }
}

TEST_F(SystemdDriver, MakesNoPropertiesOfAnnotations) {
  spec::ContainerSpec container = ContainerOf("c", "exec sleep 1000");
  container.annotations = {{"org.systemd.property.TasksMax", "uint64 7"},
                           {"org.systemd.property.Description", "'mine'"}};
  spec::PodSpec pod = PodInSlice();
  pod.annotations = container.annotations;
  const std::string id = Start(Run(pod), container);
  const std::string shown =
      Output(absl::StrCat("systemctl show -p TasksMax -p Description bulkhead-", id, ".scope"));
  EXPECT_THAT(shown, HasSubstr("TasksMax=infinity"));
  EXPECT_THAT(shown, HasSubstr(absl::StrCat("Description=Container bulkhead-", id, ".scope")));
}

TEST_F(SystemdDriver, RefusesAParentThatIsNoSlice) {
  spec::PodSpec pod = PodOf("web");
  pod.cgroup_parent = "/kubepods/pod1";
  EXPECT_TRUE(absl::IsInvalidArgument(pods_->RunPodSandbox(pod).status()));
}

TEST_F(SystemdDriver, TakesOverPodsOfTheOtherDriver) {
  Close();
  config_.cgroup.driver = "cgroupfs";
  Open();
  const std::string pod = Run(PodOf("web"));
  const std::string id = Start(pod, ContainerOf("c", "exec sleep 1000"));
  Close();
  config_.cgroup.driver = "systemd";
  Open();
  EXPECT_EQ(StatusOf(id).state, ContainerState::kRunning);
  ASSERT_TRUE(pods_->UpdateContainerResources(id, {.cpu_shares = 1024}).ok());
  EXPECT_TRUE(pods_->RemovePodSandbox(pod).ok());
}

TEST_F(SystemdDriver, KeepsAScopeOnlyWhileAProcessIsInIt) {
  auto host = LinuxHost::Open(config_);
  ASSERT_TRUE(host.ok()) << host.status();
  const std::string slice = absl::StrCat("/bulkhead_test_", Mark(), ".slice");
  const std::string path = absl::StrCat(slice, "/bulkhead-", Mark(), ".scope");
  auto hold = (*host)->CreateCgroup(path, {.memory_limit = 32 << 20});
  ASSERT_TRUE(hold.ok()) << hold.status();
  EXPECT_EQ(Slurp(kTree + path + "/memory.max"), absl::StrCat(32 << 20, "\n"));
  EXPECT_TRUE(absl::IsAlreadyExists((*host)->CreateCgroup(path, {}).status()));
  hold->reset();
  EXPECT_TRUE(AwaitRemoval(kTree + path));
  const absl::Time soon = absl::Now() + absl::Seconds(10);
  EXPECT_TRUE((*host)->RemoveCgroup(path, soon).ok());
  EXPECT_TRUE((*host)->RemoveCgroup(slice, soon).ok());
}

TEST_F(SystemdDriver, HasItsNameFreeAfterAnUnknownProperty) {
  auto image = supervisor::SupervisorImage::Load(config_.daemon.supervisor);
  ASSERT_TRUE(image.ok()) << image.status();
  auto process = supervisor::IdleProcess::Start(image->fd());
  ASSERT_TRUE(process.ok()) << process.status();
  const std::string unit = absl::StrCat("bulkhead-", Mark(), ".scope");
  auto properties = isolation::ScopeProperties("/system.slice/" + unit, (*process)->pid());
  isolation::SystemdBus bus;
  properties.push_back({"NoSuchProperty", true});
  const absl::Status unknown = bus.StartTransient(unit, properties);
  EXPECT_TRUE(absl::IsUnimplemented(unknown)) << unknown;
  properties.pop_back();
  EXPECT_TRUE(bus.StartTransient(unit, properties).ok());
  process->reset();
  EXPECT_TRUE(bus.Stop(unit).ok());
}

TEST_F(RealPods, RefuseTheSystemdDriverWhereSystemdDoesNotRun) {
  if (Exists("/run/systemd/system")) GTEST_SKIP() << "systemd runs here";
  config_.cgroup.driver = "systemd";
  const absl::Status refused = LinuxHost::Open(config_).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(refused));
  EXPECT_THAT(std::string(refused.message()), StartsWith("cgroup.driver \"systemd\""));
}

}  // namespace
}  // namespace bulkhead::pods
