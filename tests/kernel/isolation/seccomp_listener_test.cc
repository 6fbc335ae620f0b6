// Filters that notify an agent: the listener's way to it, and what becomes of the calls.
#include "runtime/isolation/seccomp_listener.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "runtime/isolation/seccomp_json.h"
#include "runtime/isolation/seccomp_profile.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/status.h"
#include "tests/conformance/fixture/seccomp_agent.h"
#include "tests/kernel/isolation/test_pod.h"

namespace bulkhead::isolation {
namespace {

using fixture::SeccompAgent;
using nlohmann::json;
using testing::HasSubstr;

// -1: none came. AddressSanitizer makes a call of its own before one that does not return.
int FirstCall(const SeccompAgent& agent) {
  for (const int call : agent.calls()) {
    if (call != SYS_sigaltstack) return call;
  }
  return -1;
}

constexpr char kMakeDirectory[] = "mkdir /tmp/made 2>&1; ls /tmp; ls /proc/self/fd";

class SeccompListenerTest : public testing::Test {
 protected:
  SeccompListenerTest() { MakeBusyboxLayer(layer_); }
  ~SeccompListenerTest() override { EXPECT_EQ(HostMounts(), mounts_before_); }

  // Those of the calls that a profile can notify.
  spec::SeccompProfile Notifying(const std::vector<std::string>& calls) {
    spec::SeccompProfile profile{.default_verdict = {.action = spec::SeccompAction::kAllow}};
    for (const std::string& call : calls) {
      const auto parsed =
          ParseSeccompProfile(absl::StrCat(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls":
                           [{"names": [")",
                                           call, R"("], "action": "SCMP_ACT_NOTIFY"}]})"),
                              {.machine = "x86_64", .kernel_release = "6.1", .agent = path_});
      if (parsed.ok()) profile.rules.push_back(parsed->rules[0]);
    }
    return profile;
  }
  // Those of the machine.
  static std::vector<std::string> EveryCall() {
    std::vector<std::string> calls;
    for (int number = 0; number < 512; ++number) {
      char* name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, number);
      if (name != nullptr) calls.emplace_back(name);
      free(name);
    }
    return calls;
  }

  virtual UniqueFd Connect() {
    DescriptorList list;
    list.Add(DescriptorRequest::Kind::kSeccompAgent, path_);
    auto fds = OpenDescriptors(list, {}, {});
    EXPECT_TRUE(fds.ok()) << fds.status();
    return fds.ok() ? std::move((*fds)[0]) : UniqueFd();
  }
  plan::SeccompPlan PlanFor(const spec::SeccompProfile& profile, const std::string& status) {
    auto compiled = CompileProfile(profile);
    EXPECT_TRUE(compiled.ok()) << compiled.status();
    DescriptorList unused;
    EXPECT_TRUE(PlanSeccompListener(path_, {.id = "c", .status = status},
                                    *compiled->plan.mutable_listener(), unused)
                    .ok());
    return compiled->plan;
  }
  TestContainer Container(const std::string& script, const spec::SeccompProfile& profile,
                          bool no_new_privileges) {
    TestContainer container = MakeContainer("c", layer_, dir_.Make("c"), {"sh", "-c", script});
    container.launch.mutable_credentials()->set_no_new_privileges(no_new_privileges);
    *container.launch.mutable_seccomp() = PlanFor(profile, "creating");
    *container.launch.mutable_seccomp()->mutable_listener()->mutable_agent() =
        container.AddLaunchFd(Connect());
    return container;
  }
  static Output OutputOf(TestContainer& container) {
    absl::StatusOr<PodNamespaces> pod = SetUpPod(MakePodPlan(), {});
    EXPECT_TRUE(pod.ok()) << pod.status();
    absl::StatusOr<Output> output = RunContainer(container, *pod);
    EXPECT_TRUE(output.ok()) << output.status();
    return output.value_or(Output());
  }
  // What a command writes in the container, which sleeps.
  std::string OutputOfCommand(TestContainer& container, const std::string& script,
                              const spec::SeccompProfile& profile, UniqueFd connection) {
    absl::StatusOr<PodNamespaces> pod = SetUpPod(MakePodPlan(), {});
    EXPECT_TRUE(pod.ok()) << pod.status();
    absl::StatusOr<Running> running = Prepare(container, *pod);
    EXPECT_TRUE(running.ok()) << running.status();
    if (!running.ok()) return "";
    EXPECT_TRUE(Begin(*running).ok());
    plan::ExecPlan exec;
    container.SetArgs({"sh", "-c", script});
    *exec.mutable_process() = container.launch.process();
    *exec.mutable_credentials() = container.launch.credentials();
    *exec.mutable_seccomp() = PlanFor(profile, "running");
    const absl::StatusOr<Output> output = RunExec(*running, *pod, exec, std::move(connection));
    EXPECT_TRUE(output.ok()) << output.status();
    EXPECT_TRUE(SendSignal(running->process.pidfd.get(), SIGKILL).ok());
    Finish(*running);
    return output.value_or(Output()).text;
  }

  std::string mounts_before_ = HostMounts();
  TestDir dir_;
  const std::string layer_ = dir_.Make("layer");
  const std::string path_ = dir_.path() + "/agent.sock";
};

TEST_F(SeccompListenerTest, TheAgentDecidesOnACall) {
  for (const bool no_new_privileges : {false, true}) {
    const auto agent = SeccompAgent::ForDirectories(path_, EDQUOT);
    TestContainer container =
        Container(kMakeDirectory, Notifying({"mkdir", "mkdirat"}), no_new_privileges);
    RunForked([&] {
      // Nor has the container a descriptor of it.
      EXPECT_EQ(OutputOf(container).text,
                "mkdir: can't create directory '/tmp/made': Disk quota exceeded\n0\n1\n2\n3\n");
    });
    ASSERT_EQ(agent.process_states().size(), 1u);
    const json state = json::parse(agent.process_states()[0]);
    EXPECT_EQ(state["state"]["id"], "c");
    EXPECT_GT(state["pid"], 1);
    EXPECT_EQ(state["pid"], state["state"]["pid"]);
  }
}

TEST_F(SeccompListenerTest, TheAgentDecidesOnACallInAUserNamespace) {
  const auto agent = SeccompAgent::ForDirectories(path_, EDQUOT);
  TestContainer container = Container(kMakeDirectory, Notifying({"mkdir", "mkdirat"}), false);
  std::vector<UniqueFd> fds;
  const plan::PodPlan plan = MakeMappedPodPlan(fds);
  RunForked([&] {
    absl::StatusOr<PodNamespaces> pod = SetUpPod(plan, fds);
    ASSERT_TRUE(pod.ok()) << pod.status();
    absl::StatusOr<Output> output = RunContainer(container, *pod);
    ASSERT_TRUE(output.ok()) << output.status();
    EXPECT_THAT(output->text, HasSubstr("Disk quota exceeded"));
  });
}

TEST_F(SeccompListenerTest, OfAllCallsThatAProfileCanNotifyTheFirstIsTheExec) {
  const spec::SeccompProfile profile = Notifying(EveryCall());
  EXPECT_GT(profile.rules.size(), 300u);
  for (const bool no_new_privileges : {false, true}) {
    SeccompAgent agent(path_, [](const seccomp_notif&) { return SeccompAgent::Answer{0, true}; });
    TestContainer container = Container("echo ran", profile, no_new_privileges);
    plan::CredentialsPlan& credentials = *container.launch.mutable_credentials();
    credentials.set_uid(1000);
    credentials.set_gid(1001);
    credentials.add_groups(1002);
    container.launch.mutable_process()->set_working_directory("/tmp");
    RunForked([&] { EXPECT_EQ(OutputOf(container).text, "ran\n"); });
    EXPECT_EQ(FirstCall(agent), SYS_execve);
  }
}

// A command's program is executed by a process that is cloned under the filter.
TEST_F(SeccompListenerTest, OfACommandsCallsTooTheFirstIsTheExec) {
  const spec::SeccompProfile profile = Notifying(EveryCall());
  for (const bool no_new_privileges : {false, true}) {
    SeccompAgent agent(path_, [](const seccomp_notif&) { return SeccompAgent::Answer{0, true}; });
    TestContainer container = MakeContainer("c", layer_, dir_.Make("c"), {"sleep", "100"});
    container.launch.mutable_credentials()->set_no_new_privileges(no_new_privileges);
    UniqueFd connection = Connect();
    RunForked([&] {
      EXPECT_EQ(OutputOfCommand(container, "echo ran", profile, std::move(connection)), "ran\n");
    });
    EXPECT_EQ(FirstCall(agent), SYS_execve);
  }
}

TEST_F(SeccompListenerTest, ACommandHasAListenerOfItsOwn) {
  const spec::SeccompProfile profile = Notifying({"mkdir", "mkdirat"});
  const auto agent = SeccompAgent::ForDirectories(path_, EDQUOT);
  TestContainer container = Container("exec sleep 100", profile, false);
  UniqueFd connection = Connect();
  RunForked([&] {
    EXPECT_THAT(OutputOfCommand(container, kMakeDirectory, profile, std::move(connection)),
                HasSubstr("Disk quota exceeded"));
  });
  ASSERT_EQ(agent.process_states().size(), 2u);
  const json first = json::parse(agent.process_states()[0]);
  const json command = json::parse(agent.process_states()[1]);
  EXPECT_EQ(command["state"]["status"], "running");
  EXPECT_EQ(command["state"]["pid"], first["pid"]);
  EXPECT_NE(command["pid"], first["pid"]);
}

TEST_F(SeccompListenerTest, TheAgentDecidesOnACallInAPodsPidNamespace) {
  const auto agent = SeccompAgent::ForDirectories(path_, EDQUOT);
  TestContainer container = Container(kMakeDirectory, Notifying({"mkdir", "mkdirat"}), true);
  container.launch.mutable_namespaces()->set_pid(plan::NamespacesPlan::POD);
  plan::PodPlan plan = MakePodPlan();
  plan.set_shared_pid_namespace(true);
  RunForked([&] {
    absl::StatusOr<PodNamespaces> pod = SetUpPod(plan, {});
    ASSERT_TRUE(pod.ok()) << pod.status();
    absl::StatusOr<Output> output = RunContainer(container, *pod);
    ASSERT_TRUE(output.ok()) << output.status();
    EXPECT_EQ(output->text,
              "mkdir: can't create directory '/tmp/made': Disk quota exceeded\n0\n1\n2\n3\n");
    ASSERT_TRUE(SendSignal(pod->pid1.get(), SIGKILL).ok());
  });
}

// The agent is here the test itself, at the other end of a pair of sockets.
class SeccompListenerEndTest : public SeccompListenerTest {
 protected:
  UniqueFd Connect() override {
    int pair[2] = {-1, -1};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    agent_.reset(pair[0]);
    return UniqueFd(pair[1]);
  }

  UniqueFd agent_;
};

TEST_F(SeccompListenerEndTest, ALaunchWhoseAgentIsGoneFails) {
  for (const bool no_new_privileges : {false, true}) {
    TestContainer container = Container("echo ran", Notifying({"mkdir"}), no_new_privileges);
    agent_.reset();
    RunForked([&] {
      absl::StatusOr<PodNamespaces> pod = SetUpPod(MakePodPlan(), {});
      ASSERT_TRUE(pod.ok()) << pod.status();
      const absl::Status status = Prepare(container, *pod).status();
      EXPECT_EQ(LaunchStepOf(status), "seccomp agent");
      EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
      EXPECT_EQ(status.message(), "seccomp agent: send the listener: Broken pipe");
    });
  }
}

TEST_F(SeccompListenerEndTest, ACallIsUnknownOnceTheAgentHasDied) {
  TestContainer container = Container("mkdir /tmp/a 2>&1; mkdir /tmp/b 2>&1; ls /tmp",
                                      Notifying({"mkdir", "mkdirat"}), true);
  RunForked([&] {
    absl::StatusOr<PodNamespaces> pod = SetUpPod(MakePodPlan(), {});
    ASSERT_TRUE(pod.ok()) << pod.status();
    absl::StatusOr<Running> running = Prepare(container, *pod);
    ASSERT_TRUE(running.ok()) << running.status();
    fixture::SentListener sent = fixture::ReceiveListener(agent_.get());
    ASSERT_TRUE(Begin(*running).ok());
    // The first call waits, the second comes later.
    pollfd call = {.fd = sent.listener.get(), .events = POLLIN};
    ASSERT_EQ(poll(&call, 1, 20000), 1);
    sent.listener.reset();
    EXPECT_EQ(Finish(*running).text,
              "mkdir: can't create directory '/tmp/a': Function not implemented\n"
              "mkdir: can't create directory '/tmp/b': Function not implemented\n");
  });
}

TEST_F(SeccompListenerEndTest, AnExecThatNobodyDecidesOnFails) {
  TestContainer container = Container("echo ran", Notifying({"execve"}), false);
  RunForked([&] {
    absl::StatusOr<PodNamespaces> pod = SetUpPod(MakePodPlan(), {});
    ASSERT_TRUE(pod.ok()) << pod.status();
    absl::StatusOr<Running> running = Prepare(container, *pod);
    ASSERT_TRUE(running.ok()) << running.status();
    // Dies while the container waits for its release.
    fixture::ReceiveListener(agent_.get());
    const absl::Status status = Begin(*running);
    EXPECT_EQ(LaunchStepOf(status), "exec");
    EXPECT_EQ(ErrnoOf(status), ENOSYS);
  });
}

}  // namespace
}  // namespace bulkhead::isolation
