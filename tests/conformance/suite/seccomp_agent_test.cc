// System-call filters that notify a seccomp agent.
#include "tests/conformance/fixture/seccomp_agent.h"

#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>

#include "nlohmann/json.hpp"
#include "tests/conformance/fixture/files.h"
#include "tests/conformance/fixture/pod_test.h"
#include "tests/conformance/fixture/user_namespace.h"

namespace bulkhead::fixture {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr char kMakeDirectory[] = "mkdir /made 2>&1; echo $?";
constexpr char kRefused[] = "mkdir: can't create directory '/made': Disk quota exceeded\n1\n";
constexpr char kUnknown[] = "mkdir: can't create directory '/made': Function not implemented\n1\n";

// Of our own daemon, whose agent is the fixture's.
class SeccompAgentTest : public PodTest {
 protected:
  void SetUp() override {
    if (suite().daemon() == nullptr) GTEST_SKIP() << "another runtime has no agent of ours";
    WriteProfile("mkdir", Path());
  }

  std::string Path() { return suite().daemon()->options().folder / "agent.sock"; }
  std::string Profile() { return folder() / "profile.json"; }
  void WriteProfile(const std::string& call, const std::string& listener) {
    WriteFile(Profile(), R"({"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": ")" + listener +
                             R"(", "listenerMetadata": "a test", "syscalls": [{"names": [")" +
                             call + R"(", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}]})");
  }
  void StartAgent() {
    agent_.emplace(Path(),
                   [](const seccomp_notif&) { return SeccompAgent::Answer{.error = EDQUOT}; });
  }

  v1::ContainerConfig Notifying(v1::ContainerConfig config, bool no_new_privs = false) {
    auto& security = *config.mutable_linux()->mutable_security_context();
    security.mutable_seccomp()->set_profile_type(v1::SecurityProfile::Localhost);
    security.mutable_seccomp()->set_localhost_ref(Profile());
    security.set_no_new_privs(no_new_privs);
    return config;
  }
  // Makes its directory once it is let go.
  v1::ContainerConfig Waiting() {
    auto config = Notifying(
        Shell("until test -e /test/go; do sleep 0.1; done; " + std::string(kMakeDirectory)));
    config.add_mounts()->set_host_path(folder());
    config.mutable_mounts(0)->set_container_path("/test");
    return config;
  }
  void LetGo() { WriteFile(folder() / "go", ""); }
  std::string Refusal(const Pod& pod, const v1::ContainerConfig& config) {
    const auto made = cri().CreateContainer(pod.id, config, pod.config);
    EXPECT_TRUE(absl::IsFailedPrecondition(made.status()) || absl::IsInvalidArgument(made.status()))
        << made.status();
    EXPECT_THAT(Must(cri().ListContainers({})), IsEmpty());
    return std::string(made.status().message());
  }

  std::optional<SeccompAgent> agent_;
};

TEST_F(SeccompAgentTest, DecidesOnTheCallsOfAContainer) {
  StartAgent();
  const Pod pod = RunPod();
  EXPECT_EQ(OutputOf(pod, Notifying(Shell(kMakeDirectory))), kRefused);
  EXPECT_EQ(OutputOf(pod, Notifying(Shell(kMakeDirectory), true)), kRefused);
}

TEST_F(SeccompAgentTest, IsToldWhoseCallsTheyAre) {
  StartAgent();
  const Pod pod = RunPod();
  const std::string id = Start(pod, Notifying(Idle()));
  EXPECT_EQ(Exec(id, kMakeDirectory), kRefused);
  ASSERT_EQ(agent_->process_states().size(), 2u);
  const json container = json::parse(agent_->process_states()[0]);
  EXPECT_EQ(container["metadata"], "a test");
  EXPECT_EQ(container["state"]["id"], id);
  EXPECT_EQ(container["state"]["status"], "creating");
  EXPECT_EQ(container["state"]["annotations"]["io.kubernetes.cri.sandbox-uid"],
            pod.config.metadata().uid());
  const json info = json::parse(Must(cri().ContainerStatus(id, true)).info().at("info"));
  EXPECT_EQ(container["pid"], info["pid"]);
  const json command = json::parse(agent_->process_states()[1]);
  EXPECT_EQ(command["state"]["status"], "running");
  EXPECT_EQ(command["state"]["pid"], info["pid"]);
  EXPECT_NE(command["pid"], info["pid"]);
}

TEST_F(SeccompAgentTest, DecidesOnCallsInAUserNamespace) {
  if (!HasUserNamespaces(cri())) GTEST_SKIP() << "the runtime has no user namespaces here";
  StartAgent();
  auto config = PodConfig();
  auto& namespaces =
      *config.mutable_linux()->mutable_security_context()->mutable_namespace_options();
  *namespaces.mutable_userns_options() = MappedUserNamespace();
  auto container = Notifying(Shell(kMakeDirectory));
  *container.mutable_linux()->mutable_security_context()->mutable_namespace_options() = namespaces;
  EXPECT_EQ(OutputOf(RunPod(config), container), kRefused);
}

TEST_F(SeccompAgentTest, DecidesOnWhileTheDaemonIsAway) {
  StartAgent();
  const std::string id = Start(RunPod(), Waiting());
  suite().daemon()->Kill();
  LetGo();
  suite().daemon()->Start();
  AwaitExit(id);
  EXPECT_EQ(client::StreamOf(Log(id), "stdout"), kRefused);
}

TEST_F(SeccompAgentTest, ThatHoldsAnExecHoldsNoExecSyncBeyondItsTimeout) {
  const auto hold = std::make_shared<std::atomic<bool>>(false);
  std::promise<void> let_go;
  agent_.emplace(Path(), [hold, released = let_go.get_future().share()](const seccomp_notif&) {
    if (*hold) released.wait();
    return SeccompAgent::Answer{.let_through = true};
  });
  WriteProfile("execve", Path());
  const std::string id = Start(RunPod(), Notifying(Idle()));
  *hold = true;
  const auto begin = std::chrono::steady_clock::now();
  const auto held = cri().ExecSync(id, {"true"}, std::chrono::seconds(1));
  EXPECT_EQ(held.status().code(), absl::StatusCode::kDeadlineExceeded) << held.status();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(20));
  *hold = false;
  let_go.set_value();
  EXPECT_EQ(Exec(id, "echo on"), "on\n");
}

TEST_F(SeccompAgentTest, WhenItHasDiedItsCallsAreUnknownAndCommandsAreRefused) {
  StartAgent();
  const std::string id = Start(RunPod(), Waiting());
  agent_.reset();
  const auto command = cri().ExecSync(id, {"true"});
  EXPECT_EQ(command.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(command.status().message()),
              HasSubstr("connect to the seccomp agent " + Path()));
  LetGo();
  AwaitExit(id);
  EXPECT_EQ(client::StreamOf(Log(id), "stdout"), kUnknown);
}

TEST_F(SeccompAgentTest, WithoutItNoContainerIsCreated) {
  const Pod pod = RunPod();
  EXPECT_THAT(Refusal(pod, Notifying(Shell("true"))),
              HasSubstr("connect to the seccomp agent " + Path() + ": No such file or directory"));
  WriteFile(Path(), "no socket");
  EXPECT_THAT(Refusal(pod, Notifying(Shell("true"))), HasSubstr("Connection refused"));
  std::filesystem::remove(Path());
  StartAgent();
  EXPECT_EQ(OutputOf(pod, Notifying(Shell(kMakeDirectory))), kRefused);
}

TEST_F(SeccompAgentTest, AProfileNamesNoOtherSocketAndNoCallOfTheLaunch) {
  StartAgent();
  const Pod pod = RunPod();
  WriteProfile("mkdir", suite().daemon()->socket());
  EXPECT_THAT(Refusal(pod, Notifying(Shell("true"))), HasSubstr("profile.json\": listenerPath: "));
  WriteProfile("setresuid", Path());
  EXPECT_THAT(Refusal(pod, Notifying(Shell("true"))),
              HasSubstr("\"setresuid\" is a call of the launch itself"));
  EXPECT_THAT(agent_->process_states(), IsEmpty());
}

}  // namespace
}  // namespace bulkhead::fixture
