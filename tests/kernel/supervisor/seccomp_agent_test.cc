// Containers whose calls a seccomp agent decides on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <future>

#include "absl/strings/str_cat.h"
#include "runtime/isolation/descriptors.h"
#include "runtime/isolation/seccomp_json.h"
#include "runtime/isolation/seccomp_profile.h"
#include "tests/conformance/fixture/seccomp_agent.h"
#include "tests/kernel/supervisor/test_supervisor.h"

namespace bulkhead::supervisor {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;

class SeccompAgentTest : public SupervisorTest {
 protected:
  // The agent is the first descriptor that goes along.
  plan::SeccompPlan PlanFor(const std::string& calls, isolation::DescriptorList& descriptors) {
    const auto profile = isolation::ParseSeccompProfile(
        absl::StrCat(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": )", calls,
                     R"(, "action": "SCMP_ACT_NOTIFY"}]})"),
        {.machine = "x86_64", .kernel_release = "6.1", .agent = path_});
    EXPECT_TRUE(profile.ok()) << profile.status();
    auto compiled = isolation::CompileProfile(*profile);
    EXPECT_TRUE(compiled.ok()) << compiled.status();
    EXPECT_TRUE(isolation::PlanSeccompListener(path_, {.id = "c1"},
                                               *compiled->plan.mutable_listener(), descriptors)
                    .ok());
    return compiled->plan;
  }
  TestContainer Notifying(TestContainer container) {
    isolation::DescriptorList list;
    plan::SeccompPlan plan = PlanFor(R"(["mkdir", "mkdirat"])", list);
    auto fds = isolation::OpenDescriptors(list, {}, {});
    EXPECT_TRUE(fds.ok()) << fds.status();
    *plan.mutable_listener()->mutable_agent() = container.AddLaunchFd(std::move(fds->at(0)));
    *container.launch.mutable_seccomp() = plan;
    return container;
  }
  // A connection to an agent that the test itself is, at the other end.
  static UniqueFd Connect(UniqueFd& agent) {
    int pair[2] = {-1, -1};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    agent.reset(pair[0]);
    return UniqueFd(pair[1]);
  }
  static void AwaitCall(const UniqueFd& listener) {
    pollfd call = {.fd = listener.get(), .events = POLLIN};
    EXPECT_EQ(poll(&call, 1, 20000), 1);
  }
  // What of the supervisor's descriptors is of a listener.
  std::vector<std::string> HeldListeners() {
    std::vector<std::string> held;
    for (const auto& fd : fs::directory_iterator(absl::StrCat("/proc/", spawned_.pid, "/fd"))) {
      std::error_code closed;
      const std::string target = fs::read_symlink(fd, closed);
      if (target.find("seccomp") != target.npos) held.push_back(target);
    }
    return held;
  }

  const std::string path_ = PathOf("agent.sock");
};

TEST_F(SeccompAgentTest, DecidesOnOverAReexecOfTheSupervisorWhichHoldsNothing) {
  if (!BULKHEAD_STATIC_POD) {
    GTEST_SKIP() << "a dynamically linked supervisor finds no libraries in the pod's root";
  }
  const auto agent = fixture::SeccompAgent::ForDirectories(path_, EDQUOT);
  SetUpPod();
  const auto pid =
      Run(Notifying(Shell("c1", "until test -e /tmp/go; do sleep 0.02; done; mkdir /made 2>&1")));
  ASSERT_TRUE(pid.ok()) << pid.status();
  EXPECT_THAT(HeldListeners(), IsEmpty());
  const absl::Status status = Reexec(BULKHEAD_POD_NEXT);
  ASSERT_TRUE(status.ok()) << status;
  const UniqueFd output = OpenLog("/dev/null");
  ASSERT_TRUE(Exec("c1", {"touch", "/tmp/go"}, output).ok());
  EXPECT_EQ(AwaitExit("c1")->code(), 1);
  EXPECT_THAT(PayloadOf(ReadAll(LogPath("c1"))), HasSubstr("Disk quota exceeded"));
}

TEST_F(SeccompAgentTest, ThatIsGoneFailsTheCreationWhichCanBeRepeated) {
  SetUpPod();
  TestContainer container;
  {
    const auto agent = fixture::SeccompAgent::ForDirectories(path_, EDQUOT);
    container = Notifying(Shell("c1", "mkdir /made 2>&1"));
  }
  const absl::Status status = Create(std::move(container)).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("seccomp agent: send the listener: "));
  EXPECT_THAT(HeldListeners(), IsEmpty());
  const auto agent = fixture::SeccompAgent::ForDirectories(path_, EDQUOT);
  const auto pid = Run(Notifying(Shell("c1", "mkdir /made 2>&1")));
  ASSERT_TRUE(pid.ok()) << pid.status();
  EXPECT_EQ(AwaitExit("c1")->code(), 1);
}

TEST_F(SeccompAgentTest, ThatHoldsAnExecKeepsNoCommandThatNobodyWaitsFor) {
  SetUpPod();
  ASSERT_TRUE(Run(Container("c1", {"sleep", "1000"})).ok());
  UniqueFd agent;
  std::vector<UniqueFd> fds;
  fds.push_back(Connect(agent));
  isolation::DescriptorList unused;
  Request request;
  plan::ExecPlan& plan = *request.mutable_exec()->mutable_plan();
  plan.set_container_id("c1");
  plan.mutable_process()->add_args("/bin/true");
  *plan.mutable_seccomp() = PlanFor(R"(["execve"])", unused);
  auto call = std::async(std::launch::async, [&] {
    return Call(std::move(request), std::move(fds), std::chrono::seconds(2)).status();
  });
  const fixture::SentListener sent = fixture::ReceiveListener(agent.get());
  AwaitCall(sent.listener);
  EXPECT_EQ(call.get().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(AwaitExecExit(1)->code(), 128 + SIGKILL);
  EXPECT_EQ(Signal("c1", 0), absl::OkStatus());
}

TEST_F(SeccompAgentTest, ThatHoldsAnExecIsSeenByTheNextDaemon) {
  SetUpPod();
  UniqueFd agent;
  isolation::DescriptorList unused;
  TestContainer container = Container("c1", {"sleep", "1000"});
  *container.launch.mutable_seccomp() = PlanFor(R"(["execve"])", unused);
  *container.launch.mutable_seccomp()->mutable_listener()->mutable_agent() =
      container.AddLaunchFd(Connect(agent));
  ASSERT_TRUE(Create(std::move(container)).ok());
  const fixture::SentListener sent = fixture::ReceiveListener(agent.get());
  Reconnect();
  EXPECT_FALSE(client_->hello().containers(0).released());
  Request start;
  start.mutable_start_container()->set_id("c1");
  const absl::Status status = Call(std::move(start), {}, std::chrono::milliseconds(1)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  AwaitCall(sent.listener);
  Reconnect();
  EXPECT_EQ(client_->hello().containers(0).phase(), ContainerState::CREATED);
  EXPECT_TRUE(client_->hello().containers(0).released());
  EXPECT_EQ(Signal("c1", SIGKILL), absl::OkStatus());
  EXPECT_EQ(AwaitExit("c1")->code(), 128 + SIGKILL);
}

}  // namespace
}  // namespace bulkhead::supervisor
