// The daemon killed in the middle of running pods, and many pods at once.
#include <signal.h>

#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>

#include "tests/conformance/fixture/user_namespace.h"
#include "tests/fault/fault_test.h"

namespace bulkhead::fault {
namespace {

using fixture::Must;
using fixture::Pod;

namespace v1 = ::runtime::v1;

class Daemon : public FaultTest {
 protected:
  // Calls `work` with 0 to count - 1, `at_once` at a time.
  static void InParallel(int count, int at_once, const std::function<void(int)>& work) {
    std::atomic<int> next = 0;
    std::vector<std::thread> workers;
    for (int i = 0; i < at_once; ++i) {
      workers.emplace_back([&] {
        for (int index = next++; index < count; index = next++) work(index);
      });
    }
    for (std::thread& worker : workers) worker.join();
  }
};

// 200 of them, or what BULKHEAD_MANY_PODS says.
TEST_F(Daemon, LeavesNothingOfManyPodsMadeAndRemoved8AtATime) {
  const char* asked = std::getenv("BULKHEAD_MANY_PODS");
  const int count = asked != nullptr ? std::stoi(asked) : 200;
  std::vector<std::pair<v1::PodSandboxConfig, v1::ContainerConfig>> pods;
  for (int i = 0; i < count; ++i) pods.emplace_back(PodConfig(), Idle());
  InParallel(count, 8, [&](int index) {
    auto& [config, container] = pods[static_cast<size_t>(index)];
    auto id = cri().RunPodSandbox(config);
    ASSERT_TRUE(id.ok()) << id.status();
    auto created = cri().CreateContainer(*id, container, config);
    ASSERT_TRUE(created.ok()) << created.status();
    auto started = cri().StartContainer(*created);
    EXPECT_TRUE(started.ok()) << started;
    auto stopped = cri().StopPodSandbox(*id);
    EXPECT_TRUE(stopped.ok()) << stopped;
    auto removed = cri().RemovePodSandbox(*id);
    EXPECT_TRUE(removed.ok()) << removed;
  });
}

TEST_F(Daemon, KilledLeaves50PodsRunningAndTheirLogsGrowing) {
  constexpr int kPods = 50;
  constexpr int kEnding = 10;
  const auto flag = folder() / "shared/end";
  std::filesystem::create_directories(flag.parent_path());
  std::vector<Pod> pods;
  std::vector<std::string> containers(kPods);
  for (int i = 0; i < kPods; ++i) pods.push_back({"", PodConfig()});
  std::vector<v1::ContainerConfig> configs;
  for (int i = 0; i < kPods; ++i) {
    // The first ones end while the daemon is down, each with an exit code of its own.
    const std::string ends =
        i < kEnding ? "[ -e /shared/end ] && exit " + std::to_string(40 + i) : "true";
    configs.push_back(Shell("i=0; while :; do echo $i; i=$((i+1)); " + ends + "; sleep 0.2; done"));
    auto* mount = configs.back().add_mounts();
    mount->set_host_path(flag.parent_path());
    mount->set_container_path("/shared");
  }
  InParallel(kPods, 8, [&](int index) {
    const auto i = static_cast<size_t>(index);
    pods[i].id = Must(cri().RunPodSandbox(pods[i].config));
    containers[i] = Create(pods[i], configs[i]);
    Must(cri().StartContainer(containers[i]));
  });
  std::vector<std::filesystem::path> logs;
  for (const std::string& id : containers) logs.push_back(LogPath(id));

  daemon().Kill();
  fixture::WriteFile(flag, "");
  std::vector<uintmax_t> sizes;
  for (const auto& log : logs) sizes.push_back(std::filesystem::file_size(log));
  for (size_t i = kEnding; i < kPods; ++i) {
    Await([&] { return std::filesystem::file_size(logs[i]) > sizes[i]; }, "a log to grow");
  }
  for (size_t i = 0; i < kEnding; ++i) {
    const auto& command = configs[i].command();
    Await([&] { return fixture::HostPid({command.begin(), command.end()}) == 0; }, "an end");
  }
  const auto restart = std::chrono::system_clock::now().time_since_epoch();
  daemon().Start();

  EXPECT_EQ(Must(cri().ListPodSandbox()).size(), static_cast<size_t>(kPods));
  EXPECT_EQ(Must(cri().ListContainers()).size(), static_cast<size_t>(kPods));
  for (size_t i = 0; i < kPods; ++i) {
    if (i < kEnding) {
      EXPECT_EQ(AwaitExit(containers[i]).exit_code(), 40 + static_cast<int>(i));
      EXPECT_LT(std::chrono::nanoseconds(Status(containers[i]).finished_at()), restart);
    } else {
      EXPECT_EQ(Status(containers[i]).state(), v1::CONTAINER_RUNNING);
      EXPECT_EQ(Exec(containers[i], "echo again"), "again\n");
    }
  }
  // No line was lost over the restart.
  for (size_t i = 0; i < kPods; ++i) {
    Must(cri().StopPodSandbox(pods[i].id));
    auto lines = Log(containers[i]);
    for (size_t line = 0; line < lines.size(); ++line) {
      ASSERT_EQ(lines[line].content, std::to_string(line));
    }
  }
  InParallel(kPods, 8, [&](int index) {
    EXPECT_TRUE(cri().RemovePodSandbox(pods[static_cast<size_t>(index)].id).ok());
  });
}

TEST_F(Daemon, FinishesAStopWhoseClientLeaves) {
  Pod pod = RunPod();
  const std::string id = Start(pod, Shell("trap '' TERM; while :; do sleep 1; done"));
  EXPECT_FALSE(cri().StopPodSandbox(pod.id, {.deadline = std::chrono::milliseconds(20)}).ok());
  EXPECT_TRUE(cri().StopPodSandbox(pod.id).ok());
  EXPECT_EQ(Status(id).state(), v1::CONTAINER_EXITED);
}

TEST_F(Daemon, KilledWhileAPodIsStoppedGoesOnAfterwards) {
  Pod pod = RunPod();
  Start(pod, Shell("trap '' TERM; while :; do sleep 1; done"));
  std::thread stopper([&] { cri().StopPodSandbox(pod.id).IgnoreError(); });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  daemon().Kill();
  stopper.join();
  daemon().Start();
  EXPECT_TRUE(cri().StopPodSandbox(pod.id).ok());
}

TEST_F(Daemon, StopsThoughACommandGoesOnAndASupervisorHangs) {
  const Pod pod = RunPod();
  const std::string id = Start(pod, Idle());
  const Pod frozen = RunPod();
  const std::string stuck = Start(frozen, Idle());
  const std::string marker = "5557777";
  std::thread command([&] {
    cri().ExecSync(id, {"sleep", marker}, std::chrono::seconds(0)).IgnoreError();
  });
  Await([&] { return fixture::HostPid({"sleep", marker}) != 0; }, "the command");
  const pid_t supervisor = SupervisorOf(frozen.id);
  kill(supervisor, SIGSTOP);
  std::thread call([&] { cri().ExecSync(stuck, {"true"}, std::chrono::seconds(0)).IgnoreError(); });
  EXPECT_TRUE(daemon().Stop());
  command.join();
  call.join();
  kill(supervisor, SIGCONT);
  daemon().Start();
  EXPECT_EQ(Exec(id, "echo again"), "again\n");
  EXPECT_EQ(Exec(stuck, "echo again"), "again\n");
}

TEST_F(Daemon, RestartedTakesContainersOver) {
  Pod pod = RunPod();
  const std::string running = Start(pod, Idle());
  const std::string ended = Start(pod, Shell("exit 3"));
  const std::string created = Create(pod, Shell("echo late"));
  AwaitExit(ended);
  const auto before = Status(running);
  Crash();
  auto after = Status(running);
  EXPECT_EQ(after.state(), v1::CONTAINER_RUNNING);
  EXPECT_EQ(after.started_at(), before.started_at());
  EXPECT_EQ(Status(ended).exit_code(), 3);
  EXPECT_EQ(Status(created).state(), v1::CONTAINER_CREATED);
  Must(cri().StartContainer(created));
  AwaitExit(created);
  EXPECT_EQ(client::StreamOf(Log(created), "stdout"), "late\n");
  EXPECT_TRUE(cri().StopContainer(running, std::chrono::seconds(5)).ok());
  EXPECT_EQ(Status(running).exit_code(), 0);
}

TEST_F(Daemon, KilledAndRestartedKeepsUserNamespaces) {
  if (!fixture::HasUserNamespaces(cri())) GTEST_SKIP() << "no user namespaces here";
  v1::PodSandboxConfig config = PodConfig();
  *config.mutable_linux()
       ->mutable_security_context()
       ->mutable_namespace_options()
       ->mutable_userns_options() = fixture::MappedUserNamespace();
  const Pod pod = RunPod(config);
  const std::string id = Start(pod, Idle());
  const std::string where = "readlink /proc/self/ns/user /proc/self/ns/net; cat /proc/self/uid_map";
  const std::string before = Exec(id, where);
  EXPECT_THAT(before, testing::HasSubstr("131072"));
  Crash();
  EXPECT_EQ(Exec(id, where), before);
  const std::string late = Start(pod, Idle());
  EXPECT_EQ(Exec(late, where), before);
  // A supervisor that was killed takes them along.
  kill(SupervisorOf(pod.id), SIGKILL);
  AwaitExit(id);
  AwaitExit(late);
}

}  // namespace
}  // namespace bulkhead::fault
