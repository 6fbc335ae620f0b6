// Each system call of a launch fails in its turn: the CRI call fails with the step and the errno
// and leaves nothing, or what runs is as isolated as ever.
#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/conformance/fixture/seccomp_agent.h"
#include "tests/conformance/fixture/user_namespace.h"
#include "tests/fault/call_tracer.h"
#include "tests/fault/confined_container.h"
#include "tests/fault/fault_test.h"

namespace bulkhead::fault {
namespace {

using fixture::Must;
using fixture::Pod;
using std::chrono::seconds;

// Calls of one name that are treated otherwise, and why.
struct Exception {
  Caller caller;
  const char* call;
  const char* why;
};

// Those that are left alone.
constexpr Exception kNotInjected[] = {
    {Caller::kChild, "close", "the kernel closes whatever it returns, which nobody looks at"},
    {Caller::kSupervisor, "close", "the same"},
    {Caller::kChild, "umask", "it cannot fail"},
    {Caller::kSupervisor, "umask", "it cannot fail"},
    {Caller::kSupervisor, "setfsuid", "it tells no error: what is in effect is asked for"},
    {Caller::kSupervisor, "setfsgid", "the same"},
    {Caller::kSupervisor, "epoll_wait", "nothing of a launch: the loop waits again"},
    {Caller::kSupervisor, "recvmsg", "of the daemon's connection: without one the pod is ended"},
    {Caller::kSupervisor, "sendmsg", "the same"},
    {Caller::kSupervisor, "write", "to the log thread's eventfd, which takes it"},
    {Caller::kSupervisor, "mmap", "malloc's, which finds another way or ends the program"},
    {Caller::kSupervisor, "munmap", "malloc's"},
    {Caller::kSupervisor, "brk", "malloc's"},
    {Caller::kSupervisor, "madvise", "malloc's"},
    {Caller::kSupervisor, "clock_gettime", "none where the vDSO can read the clock; cannot fail"},
};

// Those whose failure may leave the launch as it should be.
constexpr Exception kPassedOver[] = {
    {Caller::kChild, "madvise", "ENOMEM, which it also tells when there are gaps"},
    {Caller::kSupervisor, "epoll_ctl", "EPOLL_CTL_DEL before a close(2), which does the same"},
    {Caller::kSupervisor, "waitid", "of the end of a command, whose code is then 255"},
    {Caller::kSupervisor, "read", "of SIGCHLD's signalfd, which is read again"},
    {Caller::kSupervisor, "unlink", "a mark of overlayfs: one that is left fails the mount"},
    {Caller::kSupervisor, "rmdir", "the same"},
};

// Those whose failure cannot be told.
constexpr Exception kUntold[] = {
    {Caller::kChild, "read", "the wait for the release: the process ends as if it was killed"},
};

template <size_t N>
bool IsOneOf(const Exception (&exceptions)[N], const TracedCall& call) {
  return std::any_of(std::begin(exceptions), std::end(exceptions), [&](const Exception& one) {
    return one.caller == call.caller && one.call == call.name();
  });
}

using Counts = std::function<bool(const TracedCall&)>;

Counts All(Caller caller) {
  return [caller](const TracedCall& call) {
    return call.caller == caller && !IsOneOf(kNotInjected, call);
  };
}

// Without those that a step makes for each signal and each capability, which are 130.
Counts AllButLoops(Caller caller) {
  return [all = All(caller)](const TracedCall& call) {
    const bool loops = call.name() == "rt_sigaction" ||
                       (call.name() == "prctl" && (call.arguments[0] == PR_CAPBSET_READ ||
                                                   call.arguments[0] == PR_CAPBSET_DROP));
    return !loops && all(call);
  };
}

class LaunchFault : public FaultTest {
 protected:
  // What came of a launch with a failing call.
  struct Attempt {
    absl::Status status;
    std::string id;    // Of the container, where it was created.
    std::string seen;  // Of what runs.
    std::optional<TracedCall> failed;
  };
  using Launch = std::function<Attempt(const std::optional<Injection>&)>;

  void TearDown() override {
    shared_.reset();
    FaultTest::TearDown();
  }

  // With its log thread, which the first container starts.
  void RunWarmPod() {
    pod_ = RunPod(pod_config_);
    Must(Container({}).status);
    if (for_commands_) StartForCommands();
    before_ = PodState();
  }
  // And a running container.
  void RunWarmPodForCommands() {
    for_commands_ = true;
    RunWarmPod();
  }

  void Prepare(const v1::PodSandboxConfig& pod) {
    pod_config_ = pod;
    shared_.emplace(folder() / "shared");
    container_ = ConfinedContainer(pod, suite().busybox(), folder());
  }

  // Of a name that was not used before.
  v1::ContainerConfig NextConfig() {
    v1::ContainerConfig config = container_;
    config.mutable_metadata()->set_attempt(++attempts_);
    config.set_log_path(absl::StrCat("attempt-", attempts_, ".log"));
    return config;
  }

  void StartForCommands() {
    running_ = Must(cri().CreateContainer(pod_.id, NextConfig(), pod_.config));
    Must(cri().StartContainer(running_));
    Seen(running_);
    // The last that it starts.
    Await([] { return fixture::HostPid({"sleep", "1000"}) != 0; }, "the container's sleep");
  }

  Attempt Container(const std::optional<Injection>& injection) {
    const v1::ContainerConfig config = NextConfig();
    Attempt attempt;
    CallTracer tracer(SupervisorOf(pod_.id), injection);
    const auto id = cri().CreateContainer(pod_.id, config, pod_.config, kSoon);
    attempt.status = id.status();
    if (id.ok()) attempt.status = cri().StartContainer(attempt.id = *id, kSoon);
    tracer.Stop();
    attempt.failed = tracer.failed();
    if (attempt.status.ok()) attempt.seen = Seen(attempt.id);
    if (!attempt.id.empty()) Remove(attempt);
    return attempt;
  }

  Attempt Command(const std::optional<Injection>& injection) {
    Attempt attempt;
    CallTracer tracer(SupervisorOf(pod_.id), injection);
    const auto result = cri().ExecSync(running_, {"/bin/sh", "-c", SelfReport()}, {}, kSoon);
    tracer.Stop();
    attempt.failed = tracer.failed();
    attempt.status = result.status();
    if (result.ok()) attempt.seen = result->standard_output;
    return attempt;
  }

  // 1, or what BULKHEAD_FAULT_STRIDE says: the distance from one call that fails to the next.
  static size_t Stride() {
    const char* asked = std::getenv("BULKHEAD_FAULT_STRIDE");
    return asked != nullptr ? std::stoul(asked) : 1;
  }

  // Lets each call that counts fail, from the first to the last.
  void FailEachCall(const Counts& counts, int error, const Launch& launch) {
    const std::string expected = launch({}).seen;
    ASSERT_NE(expected, "");
    const size_t stride = Stride();
    for (size_t at = 0;; at += stride, ++injected_) {
      const Attempt attempt = launch(Injection{counts, at, error});
      if (!attempt.failed) {
        EXPECT_TRUE(attempt.status.ok()) << attempt.status;
        break;
      }
      SCOPED_TRACE(absl::StrCat("call ", at, ", ", attempt.failed->ToString()));
      Judge(attempt, error, expected);
      if (IsAstray(attempt.status)) {
        ReplacePod();
      } else {
        ExpectBecomes(before_, [this] { return PodState(); });
      }
    }
    RecordProperty("calls", static_cast<int>(injected_));
    EXPECT_GT(injected_, 20 / stride);
  }

  void Judge(const Attempt& attempt, int error, const std::string& expected) {
    if (attempt.status.ok()) {
      EXPECT_TRUE(IsOneOf(kPassedOver, *attempt.failed)) << "passed over without a reason";
      EXPECT_EQ(attempt.seen, expected);
    } else if (!IsOneOf(kUntold, *attempt.failed)) {
      EXPECT_THAT(std::string(attempt.status.message()),
                  testing::ContainsRegex(
                      absl::StrCat("^((create|start) container: |prepare the root file system: )?"
                                   "[a-zA-Z_/][^:]*: (.*: )?",
                                   strerror(error))));
    }
  }

  // A failed one must be there to be looked at, and go like any other.
  void Remove(const Attempt& attempt) {
    if (!attempt.status.ok()) {
      const v1::ContainerStatus status = AwaitExit(attempt.id);
      EXPECT_NE(status.exit_code(), 0);
      EXPECT_NE(status.reason(), "Completed");
    }
    Must(cri().StopContainer(attempt.id, seconds(0)));
    Must(cri().RemoveContainer(attempt.id));
  }

  std::string Seen(const std::string& id) {
    std::string said;
    Await([&] { return Says(id, said); }, "the container's report of itself");
    return KernelReport(Must(cri().ContainerStatus(id, true)), pod_.id) + "\n" + said;
  }

  bool Says(const std::string& id, std::string& said) {
    // A line that is being written is an error.
    const auto lines = client::ParseLog(fixture::ReadFile(LogPath(id)));
    if (lines.ok()) said = client::StreamOf(*lines, "stdout");
    return said.find(kReportEnd) != said.npos;
  }

  // A supervisor that finds no way back to its namespaces or its user ends.
  static bool IsAstray(const absl::Status& status) {
    return absl::StrContains(status.message(), "return to the ") ||
           absl::StrContains(status.message(), "act as the superuser again");
  }

  // As the kubelet does it.
  void ReplacePod() {
    const auto ended = [this] {
      const auto pod = Must(cri().PodSandboxStatus(pod_.id));
      return pod.status().state() == v1::SANDBOX_NOTREADY;
    };
    Await(ended, "the end of a pod without a supervisor");
    Must(cri().StopPodSandbox(pod_.id));
    Must(cri().RemovePodSandbox(pod_.id));
    pod_config_.mutable_metadata()->set_attempt(++attempts_);
    RunWarmPod();
  }

  HostState PodState() {
    HostState::Scope scope = Scope();
    scope.programs = {SupervisorOf(pod_.id)};
    scope.network = false;
    return HostState::Take(scope);
  }

  v1::PodSandboxConfig MappedPodConfig() {
    v1::PodSandboxConfig config = PodConfig();
    auto* namespaces =
        config.mutable_linux()->mutable_security_context()->mutable_namespace_options();
    *namespaces->mutable_userns_options() = fixture::MappedUserNamespace();
    return config;
  }

  Launch Containers() {
    return [this](const std::optional<Injection>& injection) { return Container(injection); };
  }

  Launch Commands() {
    return [this](const std::optional<Injection>& injection) { return Command(injection); };
  }

  static constexpr client::CallOptions kSoon{.deadline = seconds(60)};
  v1::PodSandboxConfig pod_config_;
  v1::ContainerConfig container_;
  Pod pod_;

 private:
  HostState before_;
  std::optional<SharedFolder> shared_;
  bool for_commands_ = false;
  std::string running_;
  int attempts_ = 0;
  size_t injected_ = 0;
};

TEST_F(LaunchFault, OfAContainersProcessNeverWeakensIt) {
  Prepare(PodConfig());
  RunWarmPod();
  FailEachCall(All(Caller::kChild), EIO, Containers());
}

TEST_F(LaunchFault, OfTheSupervisorNeverWeakensAContainer) {
  Prepare(PodConfig());
  RunWarmPod();
  FailEachCall(All(Caller::kSupervisor), EIO, Containers());
}

TEST_F(LaunchFault, OfAContainerWithATerminalNeverWeakensIt) {
  Prepare(PodConfig());
  container_.set_tty(true);
  // The filter is then installed at another place.
  container_.mutable_linux()->mutable_security_context()->set_no_new_privs(false);
  RunWarmPod();
  FailEachCall(AllButLoops(Caller::kChild), EPERM, Containers());
}

TEST_F(LaunchFault, OfAContainerWithASeccompAgentNeverWeakensIt) {
  const fixture::SeccompAgent agent(
      daemon().options().folder / "agent.sock",
      [](const seccomp_notif&) { return fixture::SeccompAgent::Answer{.let_through = true}; });
  const std::filesystem::path profile = folder() / "profile.json";
  fixture::WriteFile(profile, R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls":
      [{"names": ["chmod", "execve"], "action": "SCMP_ACT_NOTIFY"}]})");
  Prepare(PodConfig());
  auto& security = *container_.mutable_linux()->mutable_security_context();
  security.mutable_seccomp()->set_profile_type(v1::SecurityProfile::Localhost);
  security.mutable_seccomp()->set_localhost_ref(profile);
  security.set_no_new_privs(false);
  RunWarmPod();
  FailEachCall(AllButLoops(Caller::kChild), EIO, Containers());
  FailEachCall(All(Caller::kSupervisor), EIO, Containers());
}

TEST_F(LaunchFault, OfAContainerInAUserNamespaceNeverWeakensIt) {
  if (!fixture::HasUserNamespaces(cri())) GTEST_SKIP() << "no ID-mapped mounts here";
  Prepare(MappedPodConfig());
  RunWarmPod();
  FailEachCall(AllButLoops(Caller::kChild), ENOMEM, Containers());
}

TEST_F(LaunchFault, OfTheSupervisorNeverWeakensAContainerInAUserNamespace) {
  if (!fixture::HasUserNamespaces(cri())) GTEST_SKIP() << "no ID-mapped mounts here";
  Prepare(MappedPodConfig());
  container_.set_tty(true);
  RunWarmPod();
  FailEachCall(All(Caller::kSupervisor), ENOMEM, Containers());
}

TEST_F(LaunchFault, OfACommandNeverWeakensIt) {
  Prepare(PodConfig());
  RunWarmPodForCommands();
  FailEachCall(All(Caller::kChild), EIO, Commands());
  FailEachCall(All(Caller::kSupervisor), EIO, Commands());
}

TEST_F(LaunchFault, OfACommandInAUserNamespaceNeverWeakensIt) {
  if (!fixture::HasUserNamespaces(cri())) GTEST_SKIP() << "no ID-mapped mounts here";
  Prepare(MappedPodConfig());
  RunWarmPodForCommands();
  FailEachCall(AllButLoops(Caller::kChild), ENOMEM, Commands());
}

}  // namespace
}  // namespace bulkhead::fault
