// ExecSync.
#include <unistd.h>

#include <thread>

#include "tests/conformance/fixture/pod_test.h"
#include "tests/conformance/fixture/test_cgroup.h"

namespace bulkhead::fixture {
namespace {

using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

class ExecSync : public PodTest {
 protected:
  absl::StatusOr<client::ExecResult> Sh(const std::string& id, const std::string& script,
                                        seconds timeout = seconds(0)) {
    return cri().ExecSync(id, {"sh", "-c", script}, timeout);
  }
};

TEST_F(ExecSync, ReturnsBothStreamsAndTheExitCode) {
  auto result = Must(Sh(Start(RunPod(), Idle()), "echo out; echo err >&2; exit 3"));
  EXPECT_EQ(result.standard_output, "out\n");
  EXPECT_EQ(result.standard_error, "err\n");
  EXPECT_EQ(result.exit_code, 3);
}

TEST_F(ExecSync, TellsASignalAs128AndItsNumber) {
  EXPECT_EQ(Must(Sh(Start(RunPod(), Idle()), "kill -KILL $$")).exit_code, 137);
}

TEST_F(ExecSync, OfAMissingProgramFails) {
  auto result = cri().ExecSync(Start(RunPod(), Idle()), {"/no/such/program"});
  if (result.ok()) {
    EXPECT_THAT(result->exit_code, testing::AnyOf(126, 127));
  } else {
    EXPECT_THAT(std::string(result.status().message()), testing::HasSubstr("/no/such/program"));
  }
}

TEST_F(ExecSync, RunsInTheContainersEnvironmentAsItsUser) {
  auto config = Idle();
  config.mutable_linux()->mutable_security_context()->mutable_run_as_user()->set_value(1000);
  config.set_working_dir("/srv");
  auto* variable = config.add_envs();
  variable->set_key("OWN");
  variable->set_value("value");
  EXPECT_EQ(Exec(Start(RunPod(), config), "id -u; id -G; pwd; echo $OWN"),
            "1000\n1000 6 2000\n/srv\nvalue\n");
}

TEST_F(ExecSync, RunsInTheContainersNamespacesAndCgroups) {
  const std::string id = Start(RunPod(), Idle());
  // A runtime may keep an exec's processes together in a v2 cgroup below the container's.
  const std::string script =
      "for n in mnt pid net ipc uts cgroup; do readlink /proc/$P/ns/$n; done; grep -v ^0:: "
      "/proc/$P/cgroup || true";
  EXPECT_EQ(Exec(id, "P=self; " + script), Exec(id, "P=1; " + script));
}

TEST_F(ExecSync, IsAsConfinedAsTheContainer) {
  auto config = Idle();
  auto* security = config.mutable_linux()->mutable_security_context();
  security->mutable_capabilities()->add_drop_capabilities("ALL");
  security->set_no_new_privs(true);
  security->mutable_seccomp()->set_profile_type(v1::SecurityProfile::RuntimeDefault);
  EXPECT_EQ(Exec(Start(RunPod(), config),
                 "grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status"),
            "CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n");
}

TEST_F(ExecSync, TimesOut) {
  const std::string id = Start(RunPod(), Idle());
  const auto begin = Clock::now();
  auto result = Sh(id, "sleep 600", seconds(1));
  EXPECT_EQ(result.status().code(), absl::StatusCode::kDeadlineExceeded) << result.status();
  EXPECT_GE(Clock::now() - begin, seconds(1));
  EXPECT_LT(Clock::now() - begin, seconds(5));
}

TEST_F(ExecSync, KillsAllThatItStartedWhenItTimesOut) {
  if (!suite().is_bulkhead()) GTEST_SKIP() << "another runtime may leave background processes";
  const std::string marker = "8642" + std::to_string(getpid());
  const std::string id = Start(RunPod(), Idle());
  auto result = Sh(id, "sleep " + marker + " & sleep " + marker, seconds(1));
  EXPECT_EQ(result.status().code(), absl::StatusCode::kDeadlineExceeded) << result.status();
  Await([&] { return HostPid({"sleep", marker}) == 0; }, "the end of what was started", seconds(5));
}

TEST_F(ExecSync, WithATimeoutReturnsAsSoonAsItEnds) {
  const std::string id = Start(RunPod(), Idle());
  const auto begin = Clock::now();
  EXPECT_EQ(Must(Sh(id, "exit 0", seconds(60))).exit_code, 0);
  EXPECT_LT(Clock::now() - begin, seconds(5));
}

TEST_F(ExecSync, IsNotHeldByABackgroundChildThatHoldsThePipe) {
  if (!suite().is_bulkhead()) GTEST_SKIP() << "another runtime may wait for the pipe";
  const std::string id = Start(RunPod(), Idle());
  const auto begin = Clock::now();
  auto result = Must(Sh(id, "sleep 600 & echo started"));
  EXPECT_LT(Clock::now() - begin, seconds(10));
  EXPECT_EQ(result.standard_output, "started\n");
}

TEST_F(ExecSync, ReturnsOneMebibyteWhole) {
  auto result = Must(Sh(Start(RunPod(), Idle()), "head -c 1048576 /dev/zero | tr '\\0' x; exit 0"));
  EXPECT_TRUE(result.standard_output == std::string(1048576, 'x'));
}

TEST_F(ExecSync, CutsWhatDoesNotFitIntoAMessageAndKeepsTheExitCode) {
  if (!suite().is_bulkhead()) GTEST_SKIP() << "another runtime may fail the call";
  auto result = Sh(Start(RunPod(), Idle()), "head -c 40000000 /dev/zero | tr '\\0' x; exit 4");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->exit_code, 4);
  EXPECT_GT(result->standard_output.size(), size_t{1} << 20);
  EXPECT_LT(result->standard_output.size() + result->standard_error.size(), size_t{16} << 20);
}

TEST_F(ExecSync, InAContainerThatDoesNotRunFails) {
  Pod pod = RunPod();
  const std::string created = Create(pod, Idle());
  EXPECT_FALSE(Sh(created, "true").ok());
  const std::string ended = Start(pod, Shell("true"));
  AwaitExit(ended);
  EXPECT_FALSE(Sh(ended, "true").ok());
}

TEST_F(ExecSync, InAnUnknownContainerIsNotFound) {
  EXPECT_EQ(Sh(std::string(64, 'e'), "true").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ExecSync, WithoutACommandFails) {
  EXPECT_FALSE(cri().ExecSync(Start(RunPod(), Idle()), {}).ok());
}

TEST_F(ExecSync, RunsAsOftenAsAskedAtOnce) {
  const std::string id = Start(RunPod(), Idle());
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&, i] {
      auto result = Sh(id, "echo " + std::to_string(i));
      ASSERT_TRUE(result.ok()) << result.status();
      EXPECT_EQ(result->standard_output, std::to_string(i) + "\n");
    });
  }
  for (std::thread& caller : callers) caller.join();
}

}  // namespace
}  // namespace bulkhead::fixture
