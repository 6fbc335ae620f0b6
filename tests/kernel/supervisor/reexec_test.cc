// The supervisor becomes another build of itself, in place, while containers run.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>

#include "runtime/supervisor/exit_record.h"
#include "runtime/supervisor/upgrade.h"
#include "tests/kernel/supervisor/test_supervisor.h"

namespace bulkhead::supervisor {
namespace {

using testing::HasSubstr;

class ReexecTest : public SupervisorTest {
 protected:
  void SetUp() override {
    if (!BULKHEAD_STATIC_POD) {
      GTEST_SKIP() << "a dynamically linked supervisor finds no libraries in the pod's root";
    }
  }

  // A shell command that ends once `name` was touched in /tmp.
  static std::string Until(const std::string& name) {
    return "until test -e /tmp/" + name + "; do sleep 0.02; done;";
  }

  void Touch(const std::string& id, const std::string& name) {
    const UniqueFd output = OpenLog("/dev/null");
    const auto exec = Exec(id, {"touch", "/tmp/" + name}, output);
    ASSERT_TRUE(exec.ok()) << exec.status();
    // The container's end can be quicker than that of the command which brings it about.
    EXPECT_THAT(AwaitExecExit(exec->exec_id())->code(), testing::AnyOf(0, 128 + SIGKILL));
  }
};

TEST_F(ReexecTest, KeepsPidsExitCodesAndLogs) {
  SetUpPod();
  const auto running = Run(Shell("c1", "echo before;" + Until("go") + "echo after; exit 11"));
  ASSERT_TRUE(running.ok()) << running.status();
  const auto created = Create(Shell("c2", "echo started; exit 12"));
  ASSERT_TRUE(created.ok()) << created.status();
  ASSERT_TRUE(Run(Shell("c3", "exit 13")).ok());
  ASSERT_TRUE(AwaitExit("c3").ok());
  TestContainer prepared = Shell("c4", "exit 14");
  ASSERT_TRUE(Prepare(prepared).ok());

  const absl::Status status = Reexec(BULKHEAD_POD_NEXT);
  ASSERT_TRUE(status.ok()) << status;
  Reconnect();
  EXPECT_EQ(client_->hello().build(), "6e657874");
  EXPECT_EQ(client_->peer_pid(), spawned_.pid);
  EXPECT_TRUE(client_->hello().pod_is_set_up());
  ASSERT_EQ(client_->hello().containers_size(), 4);
  EXPECT_EQ(client_->hello().containers(0).pid(), *running);
  EXPECT_EQ(client_->hello().containers(0).phase(), ContainerState::RUNNING);
  EXPECT_EQ(client_->hello().containers(1).pid(), *created);
  EXPECT_EQ(client_->hello().containers(1).phase(), ContainerState::CREATED);
  EXPECT_EQ(client_->hello().containers(2).exit().code(), 13);
  EXPECT_EQ(client_->hello().containers(3).phase(), ContainerState::PREPARED);

  Touch("c1", "go");
  EXPECT_EQ(AwaitExit("c1")->code(), 11);
  EXPECT_EQ(ReadExitRecord(PathOf("c1.exit"))->code(), 11);
  EXPECT_EQ(PayloadOf(ReadAll(LogPath("c1"))), "before\nafter\n");
  ASSERT_TRUE(Start("c2").ok());
  EXPECT_EQ(AwaitExit("c2")->code(), 12);
  EXPECT_EQ(PayloadOf(ReadAll(LogPath("c2"))), "started\n");
  EXPECT_TRUE(Remove("c3").ok());
  EXPECT_TRUE(Remove("c4").ok());
}

TEST_F(ReexecTest, KeepsThePodsUserNamespace) {
  constexpr char kFirstOfMap[] = "set -- $(cat /proc/self/uid_map); echo $2";
  std::vector<UniqueFd> fds;
  const plan::PodPlan plan = isolation::MakeMappedPodPlan(fds);
  SetUpPod(plan, std::move(fds));
  ASSERT_TRUE(Run(Shell("c1", "sleep 1000")).ok());
  TestContainer created = Shell("c2", kFirstOfMap);
  ASSERT_TRUE(Create(std::move(created)).ok());
  ASSERT_TRUE(Reexec(BULKHEAD_POD_NEXT).ok());
  Reconnect();

  const UniqueFd output = OpenLog(PathOf("exec.out"));
  const auto exec = Exec("c1", {"sh", "-c", kFirstOfMap}, output);
  ASSERT_TRUE(exec.ok()) << exec.status();
  EXPECT_EQ(AwaitExecExit(exec->exec_id())->code(), 0);
  EXPECT_EQ(ReadAll(PathOf("exec.out")), "100000\n");
  ASSERT_TRUE(Start("c2").ok());
  EXPECT_EQ(AwaitExit("c2")->code(), 0);
  ASSERT_TRUE(Run(Shell("c3", kFirstOfMap)).ok());
  EXPECT_EQ(AwaitExit("c3")->code(), 0);
  for (const char* id : {"c2", "c3"}) EXPECT_EQ(PayloadOf(ReadAll(LogPath(id))), "100000\n");
}

TEST_F(ReexecTest, KeepsTheConnectionAndAnExecInProgress) {
  SetUpPod();
  ASSERT_TRUE(Run(Container("c1", {"sleep", "1000"})).ok());
  const UniqueFd output = OpenLog(PathOf("exec.out"));
  const auto exec = Exec("c1", {"sh", "-c", Until("go") + "echo done; exit 21"}, output);
  ASSERT_TRUE(exec.ok()) << exec.status();
  ASSERT_TRUE(Reexec(BULKHEAD_POD_NEXT).ok());
  Touch("c1", "go");
  EXPECT_EQ(AwaitExecExit(exec->exec_id())->code(), 21);
  EXPECT_EQ(ReadAll(PathOf("exec.out")), "done\n");
}

TEST_F(ReexecTest, LosesNoLogByteUnderLoad) {
  constexpr int kLines = 500'000;
  SetUpPod();
  ASSERT_TRUE(Run(Container("c1", {"/bin/busybox", "seq", "1", std::to_string(kLines)})).ok());
  for (int i = 0; i < 6; ++i) {
    const absl::Status status = Reexec(i % 2 == 0 ? BULKHEAD_POD_NEXT : BULKHEAD_POD);
    ASSERT_TRUE(status.ok()) << status;
  }
  ASSERT_TRUE(AwaitExit("c1", std::chrono::seconds(90)).ok());
  std::string expected;
  for (int i = 1; i <= kLines; ++i) expected += std::to_string(i) + "\n";
  EXPECT_TRUE(PayloadOf(ReadAll(LogPath("c1"))) == expected);
}

TEST_F(ReexecTest, KeepsAnUnfinishedLine) {
  SetUpPod();
  ASSERT_TRUE(Run(Shell("c1", "echo -n one;" + Until("go") + "echo two")).ok());
  ASSERT_TRUE(Reexec(BULKHEAD_POD_NEXT).ok());
  Touch("c1", "go");
  ASSERT_TRUE(AwaitExit("c1").ok());
  EXPECT_EQ(PayloadOf(ReadAll(LogPath("c1"))), "onetwo\n");
}

TEST_F(ReexecTest, GoesOnWhenTheFileIsNoProgram) {
  std::ofstream(PathOf("text")) << "not a program";
  SetUpPod();
  ASSERT_TRUE(Run(Shell("c1", Until("go") + "echo on; exit 3")).ok());
  const absl::Status status = Reexec(PathOf("text"));
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("cannot be executed"));
  Touch("c1", "go");
  EXPECT_EQ(AwaitExit("c1")->code(), 3);
  EXPECT_EQ(PayloadOf(ReadAll(LogPath("c1"))), "on\n");
}

TEST_F(ReexecTest, GoesOnWhenTheNewProgramDoesNotTakeTheStateOver) {
  SetUpPod();
  ASSERT_TRUE(Run(Container("c1", {"sleep", "1000"})).ok());
  // A static program that knows nothing of a state.
  const absl::Status status = Reexec("/bin/busybox");
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("cannot take over"));
  Touch("c1", "go");
  ASSERT_TRUE(Run(Shell("c2", "exit 2")).ok());
  EXPECT_EQ(AwaitExit("c2")->code(), 2);
}

TEST_F(ReexecTest, UpgradesASupervisorOfAnotherBuildAlone) {
  SetUpPod();
  ASSERT_TRUE(Run(Container("c1", {"sleep", "1000"})).ok());
  const absl::StatusOr<bool> same = UpgradeSupervisor(*client_, *image_, kPatience);
  ASSERT_TRUE(same.ok()) << same.status();
  EXPECT_FALSE(*same);
  const auto next = SupervisorImage::Load(BULKHEAD_POD_NEXT);
  ASSERT_TRUE(next.ok()) << next.status();
  const absl::StatusOr<bool> upgraded = UpgradeSupervisor(*client_, *next, kPatience);
  ASSERT_TRUE(upgraded.ok()) << upgraded.status();
  EXPECT_TRUE(*upgraded);
  Reconnect();
  EXPECT_EQ(client_->hello().build(), next->build());
  EXPECT_EQ(client_->hello().containers_size(), 1);
}

TEST_F(ReexecTest, RefusesAnythingButOneProgram) {
  SetUpPod();
  Request request;
  request.mutable_reexec();
  EXPECT_EQ(Call(request).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace bulkhead::supervisor
