#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <filesystem>

#include "tests/kernel/pods/real_pods.h"

namespace bulkhead::pods {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// A script that goes on until it is told to end.
constexpr char kServe[] = "trap 'exit 7' TERM; echo up; while :; do sleep 0.01; done";

TEST_F(RealPods, RunsAContainerToItsEndAndKeepsItsLog) {
  const std::string pod = Run(PodOf("web"));
  const spec::ContainerSpec container = ContainerOf("hello", "echo hello; exit 3");
  const std::string id = Start(pod, container);
  const ContainerStatus status = AwaitExit(id);
  EXPECT_EQ(status.exit_code, 3);
  EXPECT_EQ(status.reason, "Error");
  EXPECT_GT(status.started_at, status.created_at);
  EXPECT_GT(status.finished_at, status.started_at);
  AwaitLog(container, "stdout F hello\n");
}

TEST_F(RealPods, GivesContainersThePodsFilesAndSharedMemory) {
  spec::PodSpec spec = PodOf("web");
  spec.security.namespaces.network = spec::NamespaceMode::kNode;
  spec.dns = {.servers = {"10.0.0.10"}, .searches = {"cluster.local"}};
  const std::string pod = Run(spec);
  const std::string writer = Start(pod, ContainerOf("writer", "echo shared > /dev/shm/x"));
  AwaitExit(writer);
  const spec::ContainerSpec reader =
      ContainerOf("reader", "cat /etc/resolv.conf /etc/hostname /dev/shm/x; id; exec sleep 1000");
  Start(pod, reader);
  const std::string log = AwaitLog(reader, "uid=0");
  EXPECT_THAT(log, HasSubstr("search cluster.local"));
  EXPECT_THAT(log, HasSubstr("nameserver 10.0.0.10"));
  EXPECT_THAT(log, HasSubstr("F web\n"));
  EXPECT_THAT(log, HasSubstr("F shared\n"));
}

TEST_F(RealPods, EndsAContainerWithItsStopSignal) {
  const spec::ContainerSpec container = ContainerOf("c", kServe);
  const std::string id = Start(Run(PodOf("web")), container);
  AwaitLog(container, "up");
  EXPECT_TRUE(pods_->StopContainer(id, hours(1)).ok());
  EXPECT_EQ(StatusOf(id).exit_code, 7);
}

TEST_F(RealPods, KillsAContainerThatIgnoresSignalsAndForks) {
  spec::ContainerSpec container =
      ContainerOf("c", "trap '' TERM; echo up; while :; do (sleep 100 &) ; sleep 0.01; done");
  // Without a PID namespace of its own nothing but the cgroup holds its processes.
  container.security.namespaces.pid = spec::NamespaceMode::kPod;
  spec::PodSpec spec = PodOf("web");
  spec.security.namespaces.pid = spec::NamespaceMode::kPod;
  const std::string id = Start(Run(spec), container);
  AwaitLog(container, "up");
  EXPECT_TRUE(pods_->StopContainer(id, seconds(1)).ok());
  EXPECT_EQ(StatusOf(id).exit_code, 137);
}

TEST_F(RealPods, ADebuggingContainerSeesTheProcessesOfItsTarget) {
  const std::string pod = Run(PodOf("web"));
  const std::string target = Start(pod, ContainerOf("target", "exec sleep 1234"));
  spec::ContainerSpec debugger =
      ContainerOf("debugger", "cat /proc/1/cmdline | tr '\\0' ' '; echo seen; exec sleep 1000");
  debugger.security.namespaces.pid = spec::NamespaceMode::kTarget;
  debugger.security.namespaces.target_id = target;
  Start(pod, debugger);
  EXPECT_THAT(AwaitLog(debugger, "seen"), HasSubstr("sleep 1234 seen"));
}

TEST_F(RealPods, TellsAContainerThatWasKilledBehindItsBack) {
  const std::string id = Start(Run(PodOf("web")), ContainerOf("c", "exec sleep 1000"));
  ASSERT_EQ(kill(StatusOf(id).pid, SIGKILL), 0);
  const ContainerStatus status = AwaitExit(id);
  EXPECT_EQ(status.exit_code, 137);
  EXPECT_EQ(status.reason, "Error");
}

TEST_F(RealPods, TellsAProgramThatIsNotThere) {
  spec::ContainerSpec container = ContainerOf("c", "");
  container.command = {"/bin/nothing"};
  const std::string id = Create(Run(PodOf("web")), container);
  const absl::Status started = pods_->StartContainer(id);
  EXPECT_THAT(std::string(started.message()), HasSubstr("/bin/nothing"));
  const ContainerStatus status = StatusOf(id);
  EXPECT_EQ(status.state, ContainerState::kExited);
  EXPECT_EQ(status.exit_code, 127);
  EXPECT_EQ(status.reason, "ContainerCannotRun");
}

TEST_F(RealPods, TellsAProgramThatIsNotExecutable) {
  spec::ContainerSpec container = ContainerOf("c", "");
  container.command = {"/etc/passwd"};
  const std::string id = Create(Run(PodOf("web")), container);
  EXPECT_FALSE(pods_->StartContainer(id).ok());
  EXPECT_EQ(StatusOf(id).exit_code, 126);
}

TEST_F(RealPods, TellsAContainerThatTheOomKillerEnded) {
  spec::ContainerSpec container = ContainerOf("c", "x=a; while :; do x=$x$x; done");
  container.resources.memory_limit = 16 << 20;
  container.resources.memory_swap_limit = 16 << 20;
  const ContainerStatus status = AwaitExit(Start(Run(PodOf("web")), container));
  EXPECT_EQ(status.reason, "OOMKilled");
  EXPECT_EQ(status.exit_code, 137);
}

TEST_F(RealPods, ChangesTheLimitsOfARunningContainer) {
  spec::ContainerSpec container = ContainerOf("c", "exec sleep 1000");
  container.resources.cpu_shares = 512;
  const std::string id = Start(Run(PodOf("web")), container);
  ASSERT_TRUE(pods_->UpdateContainerResources(id, {.memory_limit = 64 << 20}).ok());
  EXPECT_EQ(StatusOf(id).spec.resources.memory_limit, 64 << 20);
  EXPECT_EQ(StatusOf(id).spec.resources.cpu_shares, 512);
}

TEST_F(RealPods, WritesToANewLogOnceItIsReopened) {
  const spec::ContainerSpec container = ContainerOf("c", "while :; do echo x; sleep 0.01; done");
  const std::string id = Start(Run(PodOf("web")), container);
  AwaitLog(container, "x");
  const std::string log = root_ + "/logs/c.log";
  std::filesystem::rename(log, log + ".1");
  ASSERT_TRUE(pods_->ReopenContainerLog(id).ok());
  AwaitLog(container, "x");
}

TEST_F(RealPods, HoldsAtMostEightDescriptorsAPod) {
  const auto count = [] {
    const std::filesystem::directory_iterator fds("/proc/self/fd");
    return std::distance(begin(fds), end(fds));
  };
  const auto before = count();
  for (int i = 0; i < 10; ++i) {
    const std::string pod = Run(PodOf("pod" + std::to_string(i)));
    Start(pod, ContainerOf("a" + std::to_string(i), "exec sleep 1000"));
    Start(pod, ContainerOf("b" + std::to_string(i), "exec sleep 1000"));
  }
  EXPECT_LE(count() - before, 10 * 8);
}

}  // namespace
}  // namespace bulkhead::pods
