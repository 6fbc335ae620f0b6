#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>

#include "runtime/kernel/fd.h"
#include "tests/kernel/pods/real_pods.h"

namespace bulkhead::pods {
namespace {

using std::chrono::seconds;

// Until the process is gone, or a zombie of someone else's.
void AwaitEnd(int pid) {
  const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  pollfd fd{process.get(), POLLIN, 0};
  if (process.valid()) poll(&fd, 1, -1);
}

// Tells the program that a process runs apart from others.
ino_t ProgramOf(int pid) {
  struct stat program {};
  EXPECT_EQ(stat(("/proc/" + std::to_string(pid) + "/exe").c_str(), &program), 0);
  return program.st_ino;
}

class RealRecovery : public RealPods {};

TEST_F(RealRecovery, FindsRunningContainersAgain) {
  const std::string pod = Run(PodOf("web"));
  const std::string id = Start(pod, ContainerOf("c", "exec sleep 1000"));
  const ContainerStatus before = StatusOf(id);
  Close();
  Open();
  const ContainerStatus after = StatusOf(id);
  EXPECT_EQ(after.state, ContainerState::kRunning);
  EXPECT_EQ(after.pid, before.pid);
  EXPECT_EQ(after.started_at, before.started_at);
  EXPECT_EQ(pods_->PodSandboxStatus(pod)->state, PodState::kReady);
  EXPECT_EQ(pods_->ExecSync(id, {"/bin/echo", "alive"}, seconds(0))->standard_output, "alive\n");
}

TEST_F(RealRecovery, SharesTheRunningSupervisorsProgramWithNewPods) {
  Run(PodOf("before"));
  Close();
  Open();
  Run(PodOf("after"));
  const std::vector<int> supervisors = Supervisors();
  ASSERT_EQ(supervisors.size(), 2u);
  EXPECT_EQ(ProgramOf(supervisors[0]), ProgramOf(supervisors[1]));
}

TEST_F(RealRecovery, BringsRunningPodsToTheNewBuildOfTheSupervisor) {
  if (!BULKHEAD_STATIC_POD)
    GTEST_SKIP() << "a dynamic program finds no libraries in the pod's root";
  const std::string pod = Run(PodOf("web"));
  const std::string id =
      Start(pod, ContainerOf("c", "trap 'exit 42' TERM; while :; do sleep 1; done"));
  const std::vector<int> supervisors = Supervisors();
  ASSERT_EQ(supervisors.size(), 1u);
  const ino_t before = ProgramOf(supervisors[0]);
  const int pid = StatusOf(id).pid;
  for (const char* build : {BULKHEAD_POD_NEXT, BULKHEAD_POD_PROGRAM}) {
    Close();
    config_.daemon.supervisor = build;
    Open();
    EXPECT_EQ(Supervisors(), supervisors);
    EXPECT_EQ(StatusOf(id).pid, pid);
    EXPECT_EQ(pods_->ExecSync(id, {"/bin/echo", "alive"}, seconds(0))->standard_output, "alive\n");
  }
  EXPECT_NE(ProgramOf(supervisors[0]), before);
  EXPECT_TRUE(pods_->StopContainer(id, seconds(60)).ok());
  EXPECT_EQ(AwaitExit(id).exit_code, 42);
}

TEST_F(RealRecovery, TellsTheCodeOfAContainerThatEndedMeanwhile) {
  const std::string pod = Run(PodOf("web"));
  const std::string id = Start(pod, ContainerOf("c", "sleep 0.3; exit 42"));
  const int pid = StatusOf(id).pid;
  Close();
  AwaitEnd(pid);
  Open();
  const ContainerStatus status = AwaitExit(id);
  EXPECT_EQ(status.exit_code, 42);
  EXPECT_GT(status.finished_at, status.started_at);
}

TEST_F(RealRecovery, TellsTheCodeThoughTheSupervisorEndedToo) {
  const std::string pod = Run(PodOf("web"));
  const std::string id = Start(pod, ContainerOf("c", "exit 42"));
  AwaitExit(id);
  const std::vector<int> supervisors = Supervisors();
  ASSERT_EQ(supervisors.size(), 1u);
  Close();
  ASSERT_EQ(kill(supervisors[0], SIGKILL), 0);
  AwaitEnd(supervisors[0]);
  Open();
  EXPECT_EQ(StatusOf(id).exit_code, 42);
  EXPECT_EQ(pods_->PodSandboxStatus(pod)->state, PodState::kNotReady);
}

TEST_F(RealRecovery, EndsThePodOfASupervisorThatWasKilled) {
  const std::string pod = Run(PodOf("web"));
  const std::string id = Start(pod, ContainerOf("c", "exec sleep 1000"));
  const std::vector<int> supervisors = Supervisors();
  ASSERT_EQ(supervisors.size(), 1u);
  ASSERT_EQ(kill(supervisors[0], SIGKILL), 0);
  const ContainerStatus status = AwaitExit(id);
  EXPECT_EQ(status.exit_code, 137);
  EXPECT_EQ(status.reason, "SupervisorLost");
}

TEST_F(RealRecovery, StopsAContainerThoughItsSupervisorIsFrozen) {
  const std::string pod = Run(PodOf("web"));
  const std::string id = Start(pod, ContainerOf("c", "exec sleep 1000"));
  for (const int supervisor : Supervisors()) kill(supervisor, SIGSTOP);
  EXPECT_TRUE(pods_->StopContainer(id, seconds(0)).ok());
  EXPECT_EQ(StatusOf(id).state, ContainerState::kExited);
  EXPECT_TRUE(pods_->RemovePodSandbox(pod).ok());
}

TEST_F(RealRecovery, TellsASandboxWhosePid1WasKilled) {
  spec::PodSpec spec = PodOf("web");
  spec.security.namespaces.pid = spec::NamespaceMode::kPod;
  spec::ContainerSpec container = ContainerOf("c", "exec sleep 1000");
  container.security.namespaces.pid = spec::NamespaceMode::kPod;
  const std::string pod = Run(spec);
  const std::string id = Start(pod, container);
  const auto events = pods_->SubscribeEvents();
  ASSERT_EQ(kill(pods_->PodSandboxStatus(pod)->pid, SIGKILL), 0);
  while (pods_->PodSandboxStatus(pod)->state == PodState::kReady) ASSERT_TRUE(events->Next().ok());
  EXPECT_EQ(pods_->PodSandboxStatus(pod)->reason, "Pid1Exited");
  EXPECT_EQ(AwaitExit(id).exit_code, 137);
  Close();
  Open();
  EXPECT_EQ(pods_->PodSandboxStatus(pod)->state, PodState::kNotReady);
}

}  // namespace
}  // namespace bulkhead::pods
