// A container's way through a real supervisor, from its preparation to its end.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <filesystem>

#include "runtime/isolation/launch.h"
#include "runtime/kernel/status.h"
#include "runtime/supervisor/exit_record.h"
#include "runtime/supervisor/protocol.h"
#include "tests/kernel/supervisor/test_supervisor.h"

namespace bulkhead::supervisor {
namespace {

using testing::HasSubstr;

// A terminal's end is an error, EIO.
std::string ReadUntilEnd(const UniqueFd& fd) {
  std::string all;
  while (true) {
    char text[256];
    pollfd waiting = {.fd = fd.get(), .events = POLLIN};
    if (poll(&waiting, 1, kPatience.count()) != 1) return all + " (and no end)";
    const ssize_t n = read(fd.get(), text, sizeof(text));
    if (n <= 0) return all;
    all.append(text, n);
  }
}

std::chrono::nanoseconds CpuTimeOf(pid_t pid) {
  clockid_t clock;
  timespec time = {};
  EXPECT_EQ(clock_getcpuclockid(pid, &clock), 0);
  EXPECT_EQ(clock_gettime(clock, &time), 0);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

class LifeTest : public SupervisorTest {};

TEST_F(LifeTest, HelloTellsProtocolAndBuild) {
  Spawn();
  EXPECT_EQ(client_->hello().protocol(), kProtocolMax);
  EXPECT_EQ(client_->hello().build(), image_->build());
  EXPECT_FALSE(client_->hello().pod_is_set_up());
}

TEST_F(LifeTest, RunsAContainerAndReportsItsExit) {
  SetUpPod();
  const auto pid = Run(Shell("c1", "echo out; echo err >&2; exit 7"));
  ASSERT_TRUE(pid.ok()) << pid.status();
  const auto exit = AwaitExit("c1");
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_EQ(exit->code(), 7);
  EXPECT_EQ(exit->signal(), 0);
  EXPECT_GT(exit->finished_at(), exit->started_at());
  const std::string log = ReadAll(LogPath("c1"));
  EXPECT_EQ(PayloadOf(log), "out\n");
  EXPECT_EQ(PayloadOf(log, "stderr"), "err\n");
}

TEST_F(LifeTest, WritesTheExitRecordBeforeTheEvent) {
  SetUpPod();
  ASSERT_TRUE(Run(Shell("c1", "exit 3")).ok());
  const auto exit = AwaitExit("c1");
  ASSERT_TRUE(exit.ok()) << exit.status();
  const auto record = ReadExitRecord(PathOf("c1.exit"));
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->SerializeAsString(), exit->SerializeAsString());
}

TEST_F(LifeTest, ReportsASignalAs128Plus) {
  SetUpPod();
  ASSERT_TRUE(Run(Container("c1", {"sleep", "1000"})).ok());
  ASSERT_TRUE(Signal("c1", SIGKILL).ok());
  const auto exit = AwaitExit("c1");
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_EQ(exit->code(), 137);
  EXPECT_EQ(exit->signal(), SIGKILL);
}

// As a process of a container can trace its exec, or in a shared PID namespace its first process.
TEST_F(LifeTest, WaitsIdlyForAProcessThatItsTracerDoesNotReap) {
  SetUpPod();
  const auto pid = Run(Container("c1", {"sleep", "1000"}));
  ASSERT_TRUE(pid.ok()) << pid.status();
  ASSERT_EQ(ptrace(PTRACE_SEIZE, *pid, 0, 0), 0);
  ASSERT_TRUE(Signal("c1", SIGKILL).ok());
  siginfo_t info = {};
  ASSERT_EQ(waitid(P_PID, *pid, &info, WEXITED | WNOWAIT), 0);
  const std::chrono::nanoseconds before = CpuTimeOf(spawned_.pid);
  EXPECT_FALSE(AwaitExit("c1", std::chrono::milliseconds(500)).ok());
  // One that does not wait idly uses all of the half second.
  EXPECT_LT(CpuTimeOf(spawned_.pid) - before, std::chrono::milliseconds(200));
  ASSERT_EQ(waitid(P_PID, *pid, &info, WEXITED), 0);
  const auto exit = AwaitExit("c1");
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_EQ(exit->code(), 137);
}

TEST_F(LifeTest, RunsNothingOfTheContainerBeforeStart) {
  SetUpPod();
  ASSERT_TRUE(Create(Shell("c1", "echo ran")).ok());
  Reconnect();
  ASSERT_EQ(client_->hello().containers_size(), 1);
  EXPECT_EQ(client_->hello().containers(0).phase(), ContainerState::CREATED);
  EXPECT_EQ(ReadAll(LogPath("c1")), "");
  ASSERT_TRUE(Start("c1").ok());
  ASSERT_TRUE(AwaitExit("c1").ok());
  EXPECT_EQ(PayloadOf(ReadAll(LogPath("c1"))), "ran\n");
}

TEST_F(LifeTest, SaysWhichProgramCannotBeExecuted) {
  SetUpPod();
  ASSERT_TRUE(Create(Container("c1", {"/no/such/program"})).ok());
  const absl::Status status = Start("c1");
  EXPECT_THAT(std::string(status.message()), HasSubstr("/no/such/program"));
  EXPECT_EQ(ErrnoOf(status), ENOENT);
  EXPECT_EQ(isolation::LaunchStepOf(status), "exec");
  EXPECT_TRUE(AwaitExit("c1").ok());
}

TEST_F(LifeTest, AFailedCreateLeavesThePreparedContainer) {
  SetUpPod();
  TestContainer container = Container("c1", {"true"});
  container.launch.mutable_process()->set_working_directory("/etc/passwd");
  const auto pid = Create(std::move(container));
  EXPECT_EQ(ErrnoOf(pid.status()), ENOTDIR) << pid.status();
  Reconnect();
  ASSERT_EQ(client_->hello().containers_size(), 1);
  EXPECT_EQ(client_->hello().containers(0).phase(), ContainerState::PREPARED);
  EXPECT_TRUE(Remove("c1").ok());
}

TEST_F(LifeTest, RemovesAContainerThatNeverRan) {
  SetUpPod();
  const auto pid = Create(Container("c1", {"sleep", "1000"}));
  ASSERT_TRUE(pid.ok()) << pid.status();
  ASSERT_TRUE(Remove("c1").ok());
  EXPECT_EQ(kill(*pid, 0), -1);
  EXPECT_EQ(Remove("c1").code(), absl::StatusCode::kNotFound);
}

TEST_F(LifeTest, RefusesToRemoveARunningContainer) {
  SetUpPod();
  ASSERT_TRUE(Run(Container("c1", {"sleep", "1000"})).ok());
  EXPECT_EQ(Remove("c1").code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(LifeTest, HoldsNoMoreDescriptorsAfterAContainerThanBefore) {
  SetUpPod();
  const auto count = [&] {
    int n = 0;
    for (const auto& entry :
         std::filesystem::directory_iterator("/proc/" + std::to_string(spawned_.pid) + "/fd")) {
      n += !entry.path().empty();
    }
    return n;
  };
  const auto run = [&](const std::string& id) {
    ASSERT_TRUE(Run(Shell(id, "echo x")).ok());
    ASSERT_TRUE(AwaitExit(id).ok());
    ASSERT_TRUE(Remove(id).ok());
  };
  // The first starts the log thread.
  run("c1");
  const int before = count();
  for (int i = 0; i < 5; ++i) run("d" + std::to_string(i));
  // The log writer closes a removed container's file soon after.
  ASSERT_TRUE(Run(Shell("last", "true")).ok());
  ASSERT_TRUE(AwaitExit("last").ok());
  ASSERT_TRUE(Remove("last").ok());
  EXPECT_LE(count(), before + 3);
}

TEST_F(LifeTest, TakesALargePlanWithThreeHundredDescriptors) {
  SetUpPod();
  TestContainer container = Shell("c1", "env | wc -c; ls /binds | wc -l");
  for (int i = 0; i < 300; ++i) {
    container.AddBind(layer_ + "/etc", "/binds/" + std::to_string(i));
  }
  for (int i = 0; i < 15; ++i) {
    container.launch.mutable_process()->add_env("V" + std::to_string(i) + "=" +
                                                std::string(100'000, 'v'));
  }
  const auto pid = Run(std::move(container));
  ASSERT_TRUE(pid.ok()) << pid.status();
  ASSERT_TRUE(AwaitExit("c1").ok());
  const std::string output = PayloadOf(ReadAll(LogPath("c1")));
  EXPECT_GT(std::stoi(output), 1'500'000);
  EXPECT_THAT(output, HasSubstr("\n300\n"));
}

TEST_F(LifeTest, SharesMemoryBetweenContainersStartedAtDifferentTimes) {
  SetUpPod();
  ASSERT_TRUE(Run(Shell("c1", "echo shared > /dev/shm/x")).ok());
  ASSERT_TRUE(AwaitExit("c1").ok());
  ASSERT_TRUE(Run(Shell("c2", "cat /dev/shm/x")).ok());
  ASSERT_TRUE(AwaitExit("c2").ok());
  EXPECT_EQ(PayloadOf(ReadAll(LogPath("c2"))), "shared\n");
}

TEST_F(LifeTest, WritesATerminalsOutputToTheLog) {
  SetUpPod();
  TestContainer container = Shell("c1", "tty >/dev/null && echo terminal");
  container.launch.mutable_process()->set_terminal(true);
  ASSERT_TRUE(Run(std::move(container)).ok());
  ASSERT_TRUE(AwaitExit("c1").ok());
  EXPECT_EQ(PayloadOf(ReadAll(LogPath("c1"))), "terminal\r\n");
}

TEST_F(LifeTest, KeepsStandardInputOpenWhenAsked) {
  SetUpPod();
  TestContainer open = Shell("c1", "read line; echo ended");
  open.launch.mutable_streams()->set_open_stdin(true);
  ASSERT_TRUE(Run(std::move(open)).ok());
  ASSERT_TRUE(Run(Shell("c2", "read line; echo ended")).ok());
  // Without it there is nothing to read.
  ASSERT_TRUE(AwaitExit("c2").ok());
  EXPECT_EQ(ReadAll(LogPath("c1")), "");
}

TEST_F(LifeTest, ExecutesAFurtherProcess) {
  SetUpPod();
  ASSERT_TRUE(Run(Container("c1", {"sleep", "1000"})).ok());
  const UniqueFd output = OpenLog(PathOf("exec.out"));
  const auto exec = Exec("c1", {"sh", "-c", "echo here; exit 5"}, output);
  ASSERT_TRUE(exec.ok()) << exec.status();
  EXPECT_GT(exec->pid(), 0);
  const auto exit = AwaitExecExit(exec->exec_id());
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_EQ(exit->code(), 5);
  EXPECT_EQ(ReadAll(PathOf("exec.out")), "here\n");
}

// One with CLONE_PARENT is the supervisor's child, and the first process of a PID namespace does
// not end before all of its processes were reaped.
TEST_F(LifeTest, EndsAContainerWhoseProcessesMadeTheSupervisorTheirParent) {
  std::filesystem::copy_file(BULKHEAD_SIBLING, layer_ + "/bin/sibling");
  SetUpPod();
  ASSERT_TRUE(Run(Container("c1", {"sleep", "1000"})).ok());
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  for (int i = 0; i < 3; ++i) {
    const auto exec = Exec("c1", {"sibling"}, UniqueFd(fcntl(ends[1], F_DUPFD_CLOEXEC, 3)));
    ASSERT_TRUE(exec.ok()) << exec.status();
    const auto exit = AwaitExecExit(exec->exec_id());
    ASSERT_TRUE(exit.ok()) << exit.status();
    EXPECT_EQ(exit->code(), 0);
  }
  UniqueFd(ends[1]).reset();
  ASSERT_TRUE(Signal("c1", SIGKILL).ok());
  const auto exit = AwaitExit("c1", std::chrono::milliseconds(5000));
  ASSERT_TRUE(exit.ok()) << exit.status();
  EXPECT_EQ(exit->code(), 137);
}

// With PTRACE_TRACEME, after which waitid(2) tells the supervisor of stops that it did not ask for.
TEST_F(LifeTest, WaitsIdlyForAProcessThatMadeItItsTracer) {
  std::filesystem::copy_file(BULKHEAD_SIBLING, layer_ + "/bin/sibling");
  SetUpPod();
  const auto pid = Run(Container("c1", {"sibling", "stop"}));
  ASSERT_TRUE(pid.ok()) << pid.status();
  const auto other = Run(Container("c2", {"sleep", "1000"}));
  ASSERT_TRUE(other.ok()) << other.status();
  const std::chrono::nanoseconds before = CpuTimeOf(spawned_.pid);
  EXPECT_FALSE(AwaitExit("c1", std::chrono::milliseconds(500)).ok());
  EXPECT_LT(CpuTimeOf(spawned_.pid) - before, std::chrono::milliseconds(10));
  for (const char* id : {"c1", "c2"}) {
    ASSERT_TRUE(Signal(id, SIGKILL).ok());
    const auto exit = AwaitExit(id);
    ASSERT_TRUE(exit.ok()) << exit.status();
    EXPECT_EQ(exit->code(), 137);
  }
}

TEST_F(LifeTest, RefusesAnExecThatCannotRun) {
  SetUpPod();
  const UniqueFd output = OpenLog(PathOf("exec.out"));
  EXPECT_EQ(Exec("c1", {"true"}, output).status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(Run(Container("c1", {"sleep", "1000"})).ok());
  EXPECT_EQ(ErrnoOf(Exec("c1", {"/nothing"}, output).status()), ENOENT);
}

TEST_F(LifeTest, HandsTheTerminalOfAnExecOver) {
  SetUpPod();
  ASSERT_TRUE(Run(Container("c1", {"sleep", "1000"})).ok());
  Request request;
  plan::ExecPlan& plan = *request.mutable_exec()->mutable_plan();
  plan.set_container_id("c1");
  for (const char* arg : {"/bin/sh", "-c", "echo $((6*7))"}) plan.mutable_process()->add_args(arg);
  plan.mutable_process()->set_terminal(true);
  const auto response = Call(std::move(request));
  ASSERT_TRUE(response.ok()) << response.status();
  ASSERT_EQ(response->fds.size(), 1u);
  EXPECT_EQ(ReadUntilEnd(response->fds[0]), "42\r\n");
}

// Whose root is not the one that was assembled: see Containers::TakeOwnRoot.
TEST_F(LifeTest, HandsTheTerminalOfAnExecInAUserNamespaceOver) {
  std::vector<UniqueFd> fds;
  const plan::PodPlan plan = isolation::MakeMappedPodPlan(fds);
  SetUpPod(plan, std::move(fds));
  ASSERT_TRUE(Run(Container("c1", {"sleep", "1000"})).ok());
  Request request;
  plan::ExecPlan& exec = *request.mutable_exec()->mutable_plan();
  exec.set_container_id("c1");
  for (const char* arg : {"/bin/sh", "-c", "/bin/stat -c %u $(/bin/tty)"}) {
    exec.mutable_process()->add_args(arg);
  }
  exec.mutable_process()->set_terminal(true);
  const auto response = Call(std::move(request));
  ASSERT_TRUE(response.ok()) << response.status();
  ASSERT_EQ(response->fds.size(), 1u);
  EXPECT_EQ(ReadUntilEnd(response->fds[0]), "0\r\n");
}

TEST_F(LifeTest, AnswersRequestsThatItDoesNotKnow) {
  SetUpPod();
  EXPECT_EQ(Call(Request()).status().code(), absl::StatusCode::kUnimplemented);
}

TEST_F(LifeTest, ShutsDownOnlyWithoutProcesses) {
  SetUpPod();
  ASSERT_TRUE(Run(Container("c1", {"sleep", "1000"})).ok());
  Request request;
  request.mutable_shutdown();
  EXPECT_EQ(Call(request).status().code(), absl::StatusCode::kFailedPrecondition);
  ASSERT_TRUE(Signal("c1", SIGKILL).ok());
  ASSERT_TRUE(AwaitExit("c1").ok());
  EXPECT_TRUE(Call(request).ok());
  EXPECT_EQ(AwaitSupervisorEnd(), 0);
}

TEST_F(LifeTest, EndsWhenItsDaemonIsGoneBeforeThePodWasSetUp) {
  Spawn();
  Disconnect();
  EXPECT_EQ(AwaitSupervisorEnd(), 0);
}

TEST_F(LifeTest, GoesOnWithoutItsDaemon) {
  SetUpPod();
  ASSERT_TRUE(Run(Shell("c1", "exit 9")).ok());
  Disconnect();
  // Ends at some time while nobody listens; the next Hello, or the record, tells.
  absl::Status found = absl::NotFoundError("");
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (absl::IsNotFound(found) && std::chrono::steady_clock::now() < deadline) {
    ASSERT_NO_FATAL_FAILURE(Reconnect());
    for (const ContainerState& state : client_->hello().containers()) {
      if (state.phase() != ContainerState::EXITED) continue;
      EXPECT_EQ(state.exit().code(), 9);
      found = absl::OkStatus();
    }
  }
  EXPECT_TRUE(found.ok());
  const auto record = ReadExitRecord(PathOf("c1.exit"));
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->code(), 9);
}

TEST_F(LifeTest, ANewerConnectionReplacesTheOlder) {
  SetUpPod();
  const std::shared_ptr<SupervisorClient> older = client_;
  auto newer = SupervisorClient::Connect(*loop_, PathOf("supervisor.sock"), {}, kPatience);
  ASSERT_TRUE(newer.ok()) << newer.status();
  EXPECT_EQ((*newer)->peer_pid(), spawned_.pid);
  EXPECT_TRUE(AwaitDisconnect());
  Request request;
  request.mutable_start_container()->set_id("c1");
  EXPECT_EQ(older->Call(request, {}, kPatience).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ((*newer)->Call(request, {}, kPatience).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(LifeTest, HearsNobodyButRoot) {
  SetUpPod();
  const std::string path = PathOf("supervisor.sock");
  ASSERT_EQ(chmod(path.c_str(), 0777), 0);
  isolation::RunForked([&] {
    ASSERT_EQ(syscall(SYS_setresuid, 65534, 65534, 65534), 0);
    const UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address = {.sun_family = AF_UNIX};
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    ASSERT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    // The supervisor hangs up.
    char byte;
    EXPECT_EQ(read(fd.get(), &byte, 1), 0);
  });
  Request request;
  request.mutable_start_container()->set_id("c1");
  EXPECT_EQ(Call(request).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(LifeTest, AFrozenSupervisorCostsACallItsDeadline) {
  SetUpPod();
  SignalSupervisor(SIGSTOP);
  Request request;
  request.mutable_start_container()->set_id("c1");
  EXPECT_EQ(Call(request, {}, std::chrono::milliseconds(100)).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  SignalSupervisor(SIGCONT);
  EXPECT_EQ(Call(request).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(LifeTest, AKilledSupervisorDisconnects) {
  SetUpPod();
  SignalSupervisor(SIGKILL);
  EXPECT_TRUE(AwaitDisconnect());
  EXPECT_EQ(Start("c1").code(), absl::StatusCode::kUnavailable);
}

TEST_F(LifeTest, IsNotDumpableAndCannotBeWrittenTo) {
  SetUpPod();
  const std::string proc = "/proc/" + std::to_string(spawned_.pid);
  EXPECT_EQ(open((proc + "/exe").c_str(), O_WRONLY), -1);
  UniqueFd image(open((proc + "/exe").c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(fcntl(image.get(), F_GET_SEALS) & F_SEAL_WRITE, F_SEAL_WRITE);
}

TEST_F(LifeTest, ARestartedDaemonTakesTheRunningImageOfTheSameBuild) {
  SetUpPod();
  struct stat running, adopted;
  const std::string proc = "/proc/" + std::to_string(spawned_.pid) + "/exe";
  ASSERT_EQ(stat(proc.c_str(), &running), 0);
  const pid_t pids[] = {1, spawned_.pid};
  const auto image = SupervisorImage::Load(BULKHEAD_POD, pids);
  ASSERT_TRUE(image.ok()) << image.status();
  ASSERT_EQ(fstat(image->fd(), &adopted), 0);
  EXPECT_EQ(adopted.st_ino, running.st_ino);
  EXPECT_EQ(adopted.st_dev, running.st_dev);
}

}  // namespace
}  // namespace bulkhead::supervisor
