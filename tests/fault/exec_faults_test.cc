// Commands in a container that go wrong, or whose caller, daemon or supervisor does.
#include <signal.h>

#include <thread>

#include "tests/fault/fault_test.h"

namespace bulkhead::fault {
namespace {

using fixture::Must;
using fixture::Pod;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

namespace v1 = ::runtime::v1;

class ExecFault : public FaultTest {
 protected:
  // Runs `sleep MARKER` in the container, and `fault` while it runs; the call's result.
  absl::Status DuringExec(const std::string& id, const std::string& marker,
                          const std::function<void()>& fault) {
    absl::Status status;
    std::thread caller([&] { status = cri().ExecSync(id, {"sleep", marker}).status(); });
    Await([&] { return fixture::HostPid({"sleep", marker}) != 0; }, "the command");
    fault();
    caller.join();
    return status;
  }
};

TEST_F(ExecFault, OfAFileThatIsNotExecutableNamesItAndLeavesTheContainerAlone) {
  const std::string id = Start(RunPod(), Idle());
  auto refused = cri().ExecSync(id, {"/etc/passwd"}).status();
  EXPECT_FALSE(refused.ok());
  EXPECT_THAT(std::string(refused.message()), HasSubstr("/etc/passwd"));
  EXPECT_EQ(Exec(id, "echo works"), "works\n");
}

TEST_F(ExecFault, WhoseClientLeavesIsEndedByItsTimeLimit) {
  const std::string marker = "5550001";
  const std::string id = Start(RunPod(), Idle());
  EXPECT_FALSE(
      cri().ExecSync(id, {"sleep", marker}, seconds(1), {.deadline = milliseconds(300)}).ok());
  Await([&] { return fixture::HostPid({"sleep", marker}) == 0; }, "the command's end");
  EXPECT_EQ(Exec(id, "echo works"), "works\n");
}

// The next daemon knows nothing of the command, which ends with its container.
TEST_F(ExecFault, WhoseDaemonIsKilledDoesNotKeepTheContainerFromItsEnd) {
  const std::string marker = "5550002";
  const std::string id = Start(RunPod(), Idle());
  EXPECT_FALSE(DuringExec(id, marker, [&] { daemon().Kill(); }).ok());
  daemon().Start();
  EXPECT_EQ(Exec(id, "echo works"), "works\n");
  EXPECT_TRUE(cri().StopContainer(id, seconds(5)).ok());
  EXPECT_EQ(fixture::HostPid({"sleep", marker}), 0);
}

TEST_F(ExecFault, WhoseSupervisorIsKilledAnswersWithAnError) {
  Pod pod = RunPod();
  const std::string id = Start(pod, Idle());
  EXPECT_FALSE(DuringExec(id, "5550003", [&] { kill(SupervisorOf(pod.id), SIGKILL); }).ok());
  EXPECT_EQ(AwaitExit(id).reason(), "SupervisorLost");
}

TEST_F(ExecFault, WhoseContainerIsStoppedEndsWithIt) {
  const std::string id = Start(RunPod(), Idle());
  DuringExec(id, "5550004", [&] {
    EXPECT_TRUE(cri().StopContainer(id, seconds(5)).ok());
  }).IgnoreError();
  EXPECT_EQ(fixture::HostPid({"sleep", "5550004"}), 0);
  EXPECT_EQ(Status(id).state(), v1::CONTAINER_EXITED);
}

}  // namespace
}  // namespace bulkhead::fault
