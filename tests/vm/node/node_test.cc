// The daemon as systemd's service: restarted and stopped under its pods, and after a reboot of the
// node under them. Before and AfterTheReboot are run in the two lives of one virtual machine.
#include <chrono>
#include <filesystem>
#include <iterator>

#include "tests/conformance/fixture/pod_test.h"
#include "tests/conformance/fixture/test_cgroup.h"

namespace bulkhead::fixture {
namespace {

namespace fs = std::filesystem;

// Imported by node.sh; the suite's own images go with the suite.
constexpr char kImage[] = "docker.io/library/busybox:latest";

std::ptrdiff_t EntriesOf(const fs::path& folder) {
  std::error_code none;
  return std::distance(fs::directory_iterator(folder, none), fs::directory_iterator());
}

// host-local's files of one address each.
std::ptrdiff_t Leases() {
  std::ptrdiff_t leases = 0;
  std::error_code none;
  for (const auto& entry : fs::recursive_directory_iterator("/var/lib/cni/networks", none)) {
    const std::string name = entry.path().filename();
    if (entry.is_regular_file() && name[0] >= '0' && name[0] <= '9') ++leases;
  }
  return leases;
}

class Node : public PodTest {
 protected:
  v1::ContainerConfig Marked(const std::string& marker) {
    auto config = Command({"sleep", marker});
    config.mutable_image()->set_image(kImage);
    return config;
  }
  void Systemctl(const std::string& verb) {
    RunCommand({"systemctl", verb, "bulkhead"});
    if (verb == "stop") return;
    // The client's connection was the old daemon's.
    Await([&] { return cri().Version().ok(); }, "the service", std::chrono::minutes(2));
  }
};

TEST_F(Node, RestartAndStopOfTheServiceLeaveThirtyPodsRunningAndKnown) {
  constexpr int kPods = 30;
  std::vector<std::string> containers;
  std::vector<pid_t> processes;
  std::vector<v1::ContainerStatus> statuses;
  for (int i = 0; i < kPods; ++i) {
    const std::string marker = std::to_string(8800000 + i);
    containers.push_back(Start(RunPod(), Marked(marker)));
    Await([&] { return HostPid({"sleep", marker}) != 0; }, "the process");
    processes.push_back(HostPid({"sleep", marker}));
    statuses.push_back(Status(containers.back()));
  }
  const auto expect_as_before = [&] {
    EXPECT_EQ(Must(cri().ListPodSandbox()).size(), static_cast<size_t>(kPods));
    for (int i = 0; i < kPods; ++i) {
      const auto index = static_cast<size_t>(i);
      const v1::ContainerStatus status = Status(containers[index]);
      EXPECT_EQ(status.SerializeAsString(), statuses[index].SerializeAsString());
      EXPECT_EQ(status.state(), v1::CONTAINER_RUNNING);
      EXPECT_EQ(HostPid({"sleep", std::to_string(8800000 + i)}), processes[index]);
      EXPECT_EQ(Exec(containers[index], "echo alive"), "alive\n");
    }
  };
  Systemctl("restart");
  expect_as_before();
  Systemctl("stop");
  for (int i = 0; i < kPods; ++i) {
    EXPECT_EQ(HostPid({"sleep", std::to_string(8800000 + i)}), processes[static_cast<size_t>(i)]);
  }
  Systemctl("start");
  expect_as_before();
}

// What it makes is left to the reboot.
TEST_F(Node, BeforeTheReboot) {
  for (int i = 0; i < 5; ++i) {
    const auto pod_config = PodConfig();
    const std::string pod = Must(cri().RunPodSandbox(pod_config));
    auto config =
        Shell("echo written > /file; sync; " + std::string(i == 0 ? "exit 7" : "sleep 100000"));
    config.mutable_image()->set_image(kImage);
    const std::string id = Must(cri().CreateContainer(pod, config, pod_config));
    Must(cri().StartContainer(id));
    if (i == 0) AwaitExit(id);
  }
  EXPECT_EQ(EntriesOf("/var/lib/bulkhead/containers"), 5);
  EXPECT_EQ(EntriesOf("/run/netns"), 5);
  EXPECT_EQ(Leases(), 5);
}

TEST_F(Node, AfterTheRebootNothingIsReportedAndWhatPodsHadIsReleased) {
  EXPECT_TRUE(Must(cri().ListPodSandbox()).empty());
  EXPECT_TRUE(Must(cri().ListContainers()).empty());
  Await([] { return Leases() == 0; }, "the leases' release");
  Await([] { return EntriesOf("/var/lib/bulkhead/containers") == 0; }, "the layers' removal");
  EXPECT_EQ(EntriesOf("/run/netns"), 0);
  EXPECT_EQ(EntriesOf("/run/bulkhead/pods"), 0);
}

TEST_F(Node, AfterTheRebootImagesAreWholeAndPodsRun) {
  auto config = Shell("cat /file || echo new");
  config.mutable_image()->set_image(kImage);
  EXPECT_EQ(OutputOf(RunPod(), config), "new\n");
}

}  // namespace
}  // namespace bulkhead::fixture
