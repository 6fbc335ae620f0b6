// Supervisors, and processes of containers, that are killed or stopped behind the daemon's back.
#include <signal.h>

#include "tests/fault/fault_test.h"

namespace bulkhead::fault {
namespace {

using fixture::Must;
using fixture::Pod;

namespace v1 = ::runtime::v1;

using Supervisor = FaultTest;

TEST_F(Supervisor, KilledLeavesItsContainersExitedWithAReasonOfTheirOwn) {
  Pod pod = RunPod();
  const std::string id = Start(pod, Idle());
  kill(SupervisorOf(pod.id), SIGKILL);
  auto status = AwaitExit(id);
  EXPECT_NE(status.exit_code(), 0);
  EXPECT_NE(status.reason(), "Completed");
  EXPECT_NE(status.reason(), "Error");
  Await(
      [&] { return Must(cri().PodSandboxStatus(pod.id)).status().state() == v1::SANDBOX_NOTREADY; },
      "the sandbox not ready");
  EXPECT_FALSE(cri().CreateContainer(pod.id, Idle(), pod.config).ok());
}

TEST_F(Supervisor, StoppedDoesNotHoldUpTheEndOfItsPod) {
  Pod pod = RunPod();
  const std::string id = Start(pod, Shell("trap '' TERM; while :; do sleep 1; done"));
  kill(SupervisorOf(pod.id), SIGSTOP);
  EXPECT_TRUE(cri().StopPodSandbox(pod.id).ok());
  EXPECT_EQ(Status(id).state(), v1::CONTAINER_EXITED);
}

TEST_F(Supervisor, StoppedDoesNotHoldUpOtherPods) {
  Pod frozen = RunPod();
  Start(frozen, Idle());
  kill(SupervisorOf(frozen.id), SIGSTOP);
  const auto begin = std::chrono::steady_clock::now();
  Pod other = RunPod();
  EXPECT_EQ(OutputOf(other, Shell("echo runs")), "runs\n");
  Must(cri().ListContainers());
  Must(cri().ListPodSandbox());
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST_F(Supervisor, KilledWhileTheDaemonIsDownIsNoticedByTheNextOne) {
  Pod pod = RunPod();
  const std::string id = Start(pod, Idle());
  daemon().Kill();
  kill(SupervisorOf(pod.id), SIGKILL);
  daemon().Start();
  EXPECT_NE(AwaitExit(id).exit_code(), 0);
  EXPECT_EQ(Must(cri().PodSandboxStatus(pod.id)).status().state(), v1::SANDBOX_NOTREADY);
}

TEST_F(Supervisor, TellsAContainerThatWasKilledBehindItsBackAs137) {
  const std::string marker = "5551234";
  const std::string id = Start(RunPod(), Command({"sleep", marker}));
  Await([&] { return fixture::HostPid({"sleep", marker}) != 0; }, "the container's process");
  kill(fixture::HostPid({"sleep", marker}), SIGKILL);
  EXPECT_EQ(AwaitExit(id).exit_code(), 137);
}

TEST_F(Supervisor, StopsAContainerWhoseProcessesAreStopped) {
  const std::string marker = "5554321";
  const std::string id = Start(RunPod(), Command({"sleep", marker}));
  Await([&] { return fixture::HostPid({"sleep", marker}) != 0; }, "the container's process");
  kill(fixture::HostPid({"sleep", marker}), SIGSTOP);
  EXPECT_TRUE(cri().StopContainer(id, std::chrono::seconds(1)).ok());
  EXPECT_EQ(Status(id).state(), v1::CONTAINER_EXITED);
}

}  // namespace
}  // namespace bulkhead::fault
