#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>

#include <fstream>
#include <future>
#include <thread>

#include "absl/strings/str_cat.h"
#include "runtime/isolation/capabilities.h"
#include "runtime/isolation/seccomp.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/status.h"
#include "tests/kernel/isolation/test_pod.h"

namespace bulkhead::isolation {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class LaunchTest : public testing::Test {
 protected:
  LaunchTest() {
    layer_ = dir_.Make("layer");
    MakeBusyboxLayer(layer_);
  }
  ~LaunchTest() override { EXPECT_EQ(HostMounts(), mounts_before_); }

  TestContainer Container(const std::vector<std::string>& args) {
    return MakeContainer("c", layer_, dir_.Make("c"), args);
  }

  // The output of a container in a pod of its own.
  void ExpectOutput(const TestContainer& container, const testing::Matcher<std::string>& text,
                    int code = 0) {
    RunForked([&] {
      absl::StatusOr<PodNamespaces> pod = SetUpPod(MakePodPlan(), {});
      ASSERT_TRUE(pod.ok()) << pod.status();
      absl::StatusOr<Output> output = RunContainer(container, *pod);
      ASSERT_TRUE(output.ok()) << output.status();
      EXPECT_THAT(output->text, text);
      EXPECT_EQ(output->code, code);
    });
  }

  std::string mounts_before_ = HostMounts();
  TestDir dir_;
  std::string layer_;
};

TEST_F(LaunchTest, RunsAProgramAsPidOneOfItsNamespace) {
  ExpectOutput(Container({"sh", "-c", "echo $$; hostname; exit 7"}), "1\ntest-pod\n", 7);
}

TEST_F(LaunchTest, ASignalThatEndedIt) {
  TestContainer container = Container({"sh", "-c", "sh -c 'kill -9 $$'; echo $?"});
  ExpectOutput(container, "Killed\n137\n");
}

TEST_F(LaunchTest, AProgramThatIsNotThereIsNamedAfterItsRelease) {
  const TestContainer container = Container({"no-such-program"});
  RunForked([&] {
    absl::StatusOr<PodNamespaces> pod = SetUpPod(MakePodPlan(), {});
    ASSERT_TRUE(pod.ok()) << pod.status();
    absl::StatusOr<Running> running = Prepare(container, *pod);
    ASSERT_TRUE(running.ok()) << running.status();
    const absl::Status status = Begin(*running);
    EXPECT_EQ(LaunchStepOf(status), "exec");
    EXPECT_EQ(ErrnoOf(status), ENOENT);
    EXPECT_EQ(status.message(), "exec \"no-such-program\": No such file or directory");
  });
}

TEST_F(LaunchTest, AFileThatMayNotBeExecutedIsSaidToBeSo) {
  std::ofstream(layer_ + "/bin/data") << "text";
  const TestContainer container = Container({"data"});
  RunForked([&] {
    absl::StatusOr<PodNamespaces> pod = SetUpPod(MakePodPlan(), {});
    ASSERT_TRUE(pod.ok()) << pod.status();
    absl::StatusOr<Running> running = Prepare(container, *pod);
    ASSERT_TRUE(running.ok()) << running.status();
    EXPECT_EQ(ErrnoOf(Begin(*running)), EACCES);
  });
}

TEST_F(LaunchTest, NothingOfTheContainerRunsBeforeItsRelease) {
  const TestContainer container = Container({"echo", "ran"});
  RunForked([&] {
    absl::StatusOr<PodNamespaces> pod = SetUpPod(MakePodPlan(), {});
    ASSERT_TRUE(pod.ok()) << pod.status();
    absl::StatusOr<Running> running = Prepare(container, *pod);
    ASSERT_TRUE(running.ok()) << running.status();
    EXPECT_EQ(*ReceiveReport(running->process.control.get()), LaunchProgress::kNothing);
    pollfd output = {.fd = running->output.get(), .events = POLLIN};
    EXPECT_EQ(poll(&output, 1, 100), 0);
    ASSERT_TRUE(Begin(*running).ok());
    EXPECT_EQ(Finish(*running).text, "ran\n");
  });
}

TEST_F(LaunchTest, AWaitingChildOfAnotherUserIsNotDumpable) {
  TestContainer container = Container({"true"});
  container.launch.mutable_credentials()->set_uid(1000);
  RunForked([&] {
    absl::StatusOr<PodNamespaces> pod = SetUpPod(MakePodPlan(), {});
    ASSERT_TRUE(pod.ok()) << pod.status();
    absl::StatusOr<Running> running = Prepare(container, *pod);
    ASSERT_TRUE(running.ok()) << running.status();
    // The files of a process that is dumpable are its user's.
    struct stat status = {};
    const std::string file = absl::StrCat(running->process.pid, "/status");
    ASSERT_EQ(fstatat(pod->procfs.get(), file.c_str(), &status, 0), 0);
    EXPECT_EQ(status.st_uid, 0u);
    ASSERT_TRUE(Begin(*running).ok());
    EXPECT_EQ(Finish(*running).code, 0);
  });
}

TEST_F(LaunchTest, AChildWhoseSupervisorIsGoneEnds) {
  const TestContainer container = Container({"echo", "ran"});
  RunForked([&] {
    absl::StatusOr<PodNamespaces> pod = SetUpPod(MakePodPlan(), {});
    ASSERT_TRUE(pod.ok()) << pod.status();
    absl::StatusOr<Running> running = Prepare(container, *pod);
    ASSERT_TRUE(running.ok()) << running.status();
    running->process.control.reset();
    const Output output = Finish(*running);
    EXPECT_EQ(output.text, "");
    EXPECT_EQ(output.code, 127);
  });
}

TEST_F(LaunchTest, CarriesAnEnvironmentOfOneAndAHalfMebibytes) {
  TestContainer container = Container({"sh", "-c", "env | wc -c"});
  for (int i = 0; i < 24; ++i) {
    container.launch.mutable_process()->add_env(absl::StrCat("V", i, "=") +
                                                std::string(64 << 10, 'x'));
  }
  RunForked([&] {
    absl::StatusOr<PodNamespaces> pod = SetUpPod(MakePodPlan(), {});
    ASSERT_TRUE(pod.ok()) << pod.status();
    absl::StatusOr<Output> output = RunContainer(container, *pod);
    ASSERT_TRUE(output.ok()) << output.status();
    EXPECT_GT(std::stoi(output->text), 24 << 16);
  });
}

// 3 is the directory that is being listed.
TEST_F(LaunchTest, HasNoDescriptorOfTheSupervisors) {
  ExpectOutput(Container({"sh", "-c", "ls /proc/self/fd"}), "0\n1\n2\n3\n");
}

// It could be given another mode and owner through the descriptor.
TEST_F(LaunchTest, HasANullDeviceThatIsNotTheHosts) {
  struct stat host = {};
  ASSERT_EQ(stat("/dev/null", &host), 0);
  TestContainer container =
      Container({"sh", "-c", "stat -L -c '%t:%T %a %d:%i' /proc/self/fd/0; : >/proc/self/fd/0"});
  container.launch.mutable_credentials()->set_uid(1000);
  ExpectOutput(container,
               AllOf(StartsWith("1:3 666 "),
                     Not(HasSubstr(absl::StrCat(" ", host.st_dev, ":", host.st_ino, "\n")))));
}

TEST_F(LaunchTest, SetsUserGroupsCapabilitiesAndNoNewPrivileges) {
  TestContainer container = Container(
      {"sh", "-c", "id -u; id -g; id -G; umask; grep -E '^(Cap|NoNewPrivs)' /proc/self/status"});
  plan::CredentialsPlan* credentials = container.launch.mutable_credentials();
  credentials->set_uid(1000);
  credentials->set_gid(1001);
  for (const uint32_t group : {1001, 2000, 3000}) credentials->add_groups(group);
  credentials->set_bounding(0x423);
  credentials->set_permitted(0x423);
  credentials->set_effective(0x423);
  credentials->set_inheritable(0x400);
  credentials->set_ambient(0x400);
  credentials->set_no_new_privileges(true);
  container.launch.mutable_process()->set_umask(027);
  ExpectOutput(container,
               "1000\n1001\n1001 2000 3000\n0027\n"
               "CapInh:\t0000000000000400\nCapPrm:\t0000000000000400\n"
               "CapEff:\t0000000000000400\nCapBnd:\t0000000000000423\n"
               "CapAmb:\t0000000000000400\nNoNewPrivs:\t1\n");
}

TEST_F(LaunchTest, ACapabilityThatIsNotToBeHadFailsTheLaunch) {
  TestContainer container = Container({"true"});
  container.launch.mutable_credentials()->set_permitted(uint64_t{1} << 63);
  RunForked([&] {
    absl::StatusOr<PodNamespaces> pod = SetUpPod(MakePodPlan(), {});
    ASSERT_TRUE(pod.ok()) << pod.status();
    absl::StatusOr<Running> running = Prepare(container, *pod);
    if (running.ok()) {
      // The kernel cuts what it does not know; then the sets must be what was asked for the rest.
      ASSERT_TRUE(Begin(*running).ok());
      EXPECT_EQ(Finish(*running).code, 0);
      return;
    }
    EXPECT_EQ(LaunchStepOf(running.status()), "capabilities");
  });
}

TEST_F(LaunchTest, AnExecSeesTheContainersProcessesAndFiles) {
  const TestContainer container = Container({"sh", "-c", "touch /tmp/mine; exec sleep 100"});
  RunForked([&] {
    absl::StatusOr<PodNamespaces> pod = SetUpPod(MakePodPlan(), {});
    ASSERT_TRUE(pod.ok()) << pod.status();
    absl::StatusOr<Running> running = Prepare(container, *pod);
    ASSERT_TRUE(running.ok()) << running.status();
    ASSERT_TRUE(Begin(*running).ok());
    plan::ExecPlan exec;
    *exec.mutable_process() = container.launch.process();
    *exec.mutable_credentials() = container.launch.credentials();
    exec.mutable_process()->clear_args();
    for (const char* arg : {"sh", "-c",
                            "until read -r name </proc/1/comm && [ \"$name\" = sleep ]; do :; done;"
                            "ls /tmp; cat /proc/1/comm;"
                            "[ $$ -gt 1 ] && pwd; exit 3"}) {
      exec.mutable_process()->add_args(arg);
    }
    absl::StatusOr<Output> output = RunExec(*running, *pod, exec);
    ASSERT_TRUE(output.ok()) << output.status();
    EXPECT_EQ(output->text, "mine\nsleep\n/\n");
    EXPECT_EQ(output->code, 3);
    ASSERT_TRUE(SendSignal(running->process.pidfd.get(), SIGKILL).ok());
    EXPECT_EQ(Finish(*running).code, 137);
    EXPECT_TRUE(absl::IsFailedPrecondition(RunExec(*running, *pod, exec).status()));
  });
}

TEST_F(LaunchTest, ATerminalIsTheControllingOneAndTheConsole) {
  TestContainer container =
      Container({"sh", "-c", "tty; stat -c %t:%T /dev/console; echo x > /dev/tty"});
  container.launch.mutable_process()->set_terminal(true);
  RunForked([&] {
    absl::StatusOr<PodNamespaces> pod = SetUpPod(MakePodPlan(), {});
    ASSERT_TRUE(pod.ok()) << pod.status();
    absl::StatusOr<Running> running = Prepare(container, *pod);
    ASSERT_TRUE(running.ok()) << running.status();
    running->output = std::move(running->process.terminal);
    ASSERT_EQ(fcntl(running->output.get(), F_SETFL, 0), 0);  // Blocking.
    ASSERT_TRUE(Begin(*running).ok());
    const Output output = Finish(*running);
    EXPECT_EQ(output.text, "/dev/pts/0\r\n88:0\r\nx\r\n");
    EXPECT_EQ(output.code, 0);
  });
}

TEST_F(LaunchTest, ContainersOfAPodShareTheirPidNamespace) {
  TestContainer first = MakeContainer("a", layer_, dir_.Make("a"), {"sleep", "100"});
  TestContainer second =
      MakeContainer("b", layer_, dir_.Make("b"),
                    {"sh", "-c",
                     "cat /proc/1/comm; ps | grep -c 'sleep 10[0]'; kill -9 1; kill 1; (true &);"
                     "ls /proc/1/root/ /proc/1/fd/; grep -E '^(CapBnd|Seccomp):' /proc/1/status"});
  for (TestContainer* container : {&first, &second}) {
    container->launch.mutable_namespaces()->set_pid(plan::NamespacesPlan::POD);
  }
  plan::PodPlan plan = MakePodPlan();
  plan.set_shared_pid_namespace(true);
  RunForked([&] {
    absl::StatusOr<PodNamespaces> pod = SetUpPod(plan, {});
    ASSERT_TRUE(pod.ok()) << pod.status();
    absl::StatusOr<Running> sleeping = Prepare(first, *pod);
    ASSERT_TRUE(sleeping.ok()) << sleeping.status();
    ASSERT_TRUE(Begin(*sleeping).ok());
    absl::StatusOr<Output> output = RunContainer(second, *pod);
    ASSERT_TRUE(output.ok()) << output.status();
    // PID 1 is not hurt, has nothing to see, and can do nothing.
    EXPECT_EQ(output->text,
              "pod-init\n1\n/proc/1/fd/:\n\n/proc/1/root/:\nCapBnd:\t0000000000000000\n"
              "Seccomp:\t2\n");
    // It ends with everything in its namespace when it is killed from outside.
    ASSERT_TRUE(SendSignal(pod->pid1.get(), SIGKILL).ok());
    EXPECT_EQ(Finish(*sleeping).code, 137);
  });
}

TEST_F(LaunchTest, AnOomScoreThatCannotBeLoweredStays) {
  TestContainer container = Container({"cat", "/proc/self/oom_score_adj"});
  container.launch.set_oom_score_adj(-997);
  RunForked([&] {
    absl::StatusOr<PodNamespaces> pod = SetUpPod(MakePodPlan(), {});
    ASSERT_TRUE(pod.ok()) << pod.status();
    absl::StatusOr<Running> running = Prepare(container, *pod);
    ASSERT_TRUE(running.ok()) << running.status();
    ASSERT_TRUE(Begin(*running).ok());
    // The supervisor's, where it may not be lowered.
    EXPECT_THAT(Finish(*running).text, AnyOf("-997\n", "0\n"));
  });
}

TEST_F(LaunchTest, ASystemCallFilterIsInstalledWithAndWithoutNoNewPrivileges) {
  for (const bool no_new_privileges : {false, true}) {
    TestContainer container = Container(
        {"sh", "-c", "grep Seccomp: /proc/self/status; mount -t tmpfs t /tmp || echo refused"});
    spec::SecurityContext security;
    security.seccomp.type = spec::SecurityProfile::Type::kRuntimeDefault;
    absl::StatusOr<CompiledSeccomp> seccomp =
        SeccompCompiler().Plan(security, DefaultCapabilities());
    ASSERT_TRUE(seccomp.ok()) << seccomp.status();
    *container.launch.mutable_seccomp() = seccomp->plan;
    container.launch.mutable_credentials()->set_no_new_privileges(no_new_privileges);
    // All capabilities are there: it is the filter that refuses.
    ExpectOutput(container, AllOf(HasSubstr("Seccomp:\t2"), HasSubstr("refused"),
                                  HasSubstr("permission denied")));
  }
}

// Two containers are assembled and launched while another thread of the supervisor exists.
TEST_F(LaunchTest, WorksBesideAThreadThatWasStartedAfterTheFirstContainer) {
  const TestContainer first = MakeContainer("a", layer_, dir_.Make("a"), {"echo", "one"});
  const TestContainer second = MakeContainer("b", layer_, dir_.Make("b"), {"echo", "two"});
  RunForked([&] {
    absl::StatusOr<PodNamespaces> pod = SetUpPod(MakePodPlan(), {});
    ASSERT_TRUE(pod.ok()) << pod.status();
    EXPECT_EQ(RunContainer(first, *pod)->text, "one\n");
    std::promise<void> end;
    std::thread thread([future = end.get_future()] { future.wait(); });
    absl::StatusOr<Output> output = RunContainer(second, *pod);
    end.set_value();
    thread.join();
    ASSERT_TRUE(output.ok()) << output.status();
    EXPECT_EQ(output->text, "two\n");
  });
}

}  // namespace
}  // namespace bulkhead::isolation
