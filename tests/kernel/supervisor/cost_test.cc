// What a supervisor costs. The figures are printed; the limits are far above them, as the
// machine has other work, and catch what grows out of proportion.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iostream>

#include "tests/kernel/supervisor/test_supervisor.h"

namespace bulkhead::supervisor {
namespace {

// One field of /proc/PID/smaps_rollup, in KiB.
int MemoryOf(pid_t pid, const std::string& field) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/smaps_rollup");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(field + ":")) return std::stoi(line.substr(field.size() + 1));
  }
  return -1;
}

class CostTest : public SupervisorTest {};

// A pod with one sleeping container; ended with the object.
struct SmallPod {
  ~SmallPod() {
    client.reset();
    if (container > 0) kill(container, SIGKILL);
    if (!spawned.pidfd.valid()) return;
    syscall(SYS_pidfd_send_signal, spawned.pidfd.get(), SIGKILL, nullptr, 0);
    siginfo_t info;
    waitid(P_PIDFD, spawned.pidfd.get(), &info, WEXITED);
  }

  SpawnedSupervisor spawned;
  std::shared_ptr<SupervisorClient> client;
  pid_t container = 0;
};

TEST_F(CostTest, FiftySupervisorsShareTheirProgram) {
  if (!BULKHEAD_STATIC_POD) GTEST_SKIP() << "sanitizers have their own memory";
  constexpr int kPods = 50;
  std::vector<SmallPod> pods(kPods);
  int pss = 0, own = 0, before_container = 0;
  for (int i = 0; i < kPods; ++i) {
    SmallPod& pod = pods[i];
    const std::string id = "pod" + std::to_string(i);
    auto spawned = SpawnSupervisor(*image_, id, PathOf(id + ".sock"), 2);
    ASSERT_TRUE(spawned.ok()) << spawned.status();
    pod.spawned = *std::move(spawned);
    auto client =
        SupervisorClient::Attach(*loop_, std::move(pod.spawned.connection), {}, kPatience);
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = pod.client = *client;
    Request request;
    request.mutable_setup_pod()->set_pod_id(id);
    *request.mutable_setup_pod()->mutable_plan() = isolation::MakePodPlan();
    ASSERT_TRUE(Call(request).ok());
  }
  for (const SmallPod& pod : pods) before_container += MemoryOf(pod.spawned.pid, "Pss");
  for (int i = 0; i < kPods; ++i) {
    client_ = pods[i].client;
    const auto pid = Run(Container("c" + std::to_string(i), {"sleep", "1000"}));
    ASSERT_TRUE(pid.ok()) << pid.status();
    pods[i].container = *pid;
  }
  for (const SmallPod& pod : pods) {
    pss += MemoryOf(pod.spawned.pid, "Pss");
    own += MemoryOf(pod.spawned.pid, "Private_Dirty");
  }
  std::cout << "PSS of a supervisor, of " << kPods << ": " << before_container / kPods
            << " KiB without a container, " << pss / kPods << " KiB with one (private dirty "
            << own / kPods << " KiB)\n";
  EXPECT_LT(pss / kPods, 400);
}

TEST_F(CostTest, WritesThreeHundredMegabytesOfShortLinesCompletely) {
  constexpr int kLines = 100'000, kRounds = 30;
  {
    std::ofstream lines(layer_ + "/data/lines");
    for (int i = 0; i < kLines; ++i) lines << std::string(99, 'l') << '\n';
  }
  SetUpPod();
  std::vector<std::string> args = {"cat"};
  for (int i = 0; i < (BULKHEAD_STATIC_POD ? kRounds : 2); ++i) args.push_back("/data/lines");
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_TRUE(Run(Container("c1", args)).ok());
  ASSERT_TRUE(AwaitExit("c1", std::chrono::minutes(2)).ok());
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  const double megabytes = 10.0 * (args.size() - 1);
  std::cout << megabytes << " MB of payload in lines of 100 bytes: " << megabytes / took.count()
            << " MB/s\n";
  struct stat st;
  ASSERT_EQ(stat(LogPath("c1").c_str(), &st), 0);
  EXPECT_EQ(st.st_size, static_cast<off_t>(140.0 * kLines * (args.size() - 1)));
}

TEST_F(CostTest, StartsAContainer) {
  SetUpPod();
  std::vector<double> took;
  for (int i = 0; i < 20; ++i) {
    TestContainer container = Container("c" + std::to_string(i), {"/bin/true"});
    const auto begin = std::chrono::steady_clock::now();
    ASSERT_TRUE(Run(std::move(container)).ok());
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - begin;
    took.push_back(time.count());
    ASSERT_TRUE(AwaitExit("c" + std::to_string(i)).ok());
  }
  std::sort(took.begin(), took.end());
  std::cout << "PrepareRoot, CreateContainer, StartContainer: median " << took[took.size() / 2]
            << " ms\n";
  EXPECT_LT(took[took.size() / 2], 1000);
}

}  // namespace
}  // namespace bulkhead::supervisor
