// How a container is ended.
#include <thread>

#include "tests/conformance/fixture/pod_test.h"
#include "tests/conformance/fixture/test_cgroup.h"

namespace bulkhead::fixture {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::seconds;

constexpr char kIgnores[] = "trap '' TERM; echo up; while :; do sleep 1; done";

class Stop : public PodTest {
 protected:
  // A container that says "up" when its signal handlers stand.
  std::string StartAndAwaitUp(const Pod& pod, const v1::ContainerConfig& config) {
    const std::string id = Start(pod, config);
    Await([&] { return !Log(id).empty(); }, "the container's handlers");
    return id;
  }
  double SecondsOf(const std::function<void()>& action) {
    const auto begin = Clock::now();
    action();
    return std::chrono::duration<double>(Clock::now() - begin).count();
  }
};

TEST_F(Stop, SendsTermAndKeepsTheProgramsExitCode) {
  const std::string id = StartAndAwaitUp(
      RunPod(), Shell("trap 'exit 5' TERM; echo up; while :; do sleep 1000 & wait; done"));
  EXPECT_LT(SecondsOf([&] { Must(cri().StopContainer(id, seconds(20))); }), 5);
  auto status = Status(id);
  EXPECT_EQ(status.state(), v1::CONTAINER_EXITED);
  EXPECT_EQ(status.exit_code(), 5);
}

TEST_F(Stop, KillsAfterTheGracePeriod) {
  const std::string id = StartAndAwaitUp(RunPod(), Shell(kIgnores));
  const double took = SecondsOf([&] { Must(cri().StopContainer(id, seconds(1))); });
  EXPECT_GE(took, 0.9);
  EXPECT_LT(took, 5);
  EXPECT_EQ(Status(id).exit_code(), 137);
}

TEST_F(Stop, WithoutGraceKillsAtOnce) {
  const std::string id = StartAndAwaitUp(RunPod(), Shell(kIgnores));
  EXPECT_LT(SecondsOf([&] { Must(cri().StopContainer(id, seconds(0))); }), 2);
  EXPECT_EQ(Status(id).exit_code(), 137);
}

TEST_F(Stop, UsesTheSignalOfTheImage) {
  auto config = Shell("trap 'exit 9' USR1; echo up; while :; do sleep 1000 & wait; done");
  config.mutable_image()->set_image(suite().PullWith("stop-usr1", {.stop_signal = "SIGUSR1"}));
  const std::string id = StartAndAwaitUp(RunPod(), config);
  Must(cri().StopContainer(id, seconds(10)));
  EXPECT_EQ(Status(id).exit_code(), 9);
}

TEST_F(Stop, PrefersTheSignalOfTheConfiguration) {
  auto config = Shell("trap 'exit 8' USR2; echo up; while :; do sleep 1000 & wait; done");
  config.mutable_image()->set_image(suite().PullWith("stop-usr1", {.stop_signal = "SIGUSR1"}));
  config.set_stop_signal(v1::SIGNAL_SIGUSR2);
  const std::string id = StartAndAwaitUp(RunPod(), config);
  Must(cri().StopContainer(id, seconds(10)));
  EXPECT_EQ(Status(id).exit_code(), 8);
  EXPECT_EQ(Status(id).stop_signal(), v1::SIGNAL_SIGUSR2);
}

TEST_F(Stop, ASecondWithAShorterPeriodShortensTheFirst) {
  const std::string id = StartAndAwaitUp(RunPod(), Shell(kIgnores));
  const auto begin = Clock::now();
  std::thread first([&] { EXPECT_TRUE(cri().StopContainer(id, seconds(60)).ok()); });
  std::this_thread::sleep_for(std::chrono::milliseconds(200));  // The first must be under way.
  EXPECT_TRUE(cri().StopContainer(id, seconds(1)).ok());
  first.join();
  EXPECT_LT(Clock::now() - begin, seconds(10));
}

TEST_F(Stop, EndsAContainerThatIgnoresEverythingAndForksWithoutEnd) {
  TestCgroup parent("bulkhead_test_forks");
  parent.LimitPids(200);
  auto pod_config = PodConfig();
  pod_config.mutable_linux()->set_cgroup_parent(parent.name());
  Pod pod = RunPod(pod_config);
  const std::string id = Start(pod, Command({"probe", "fork-forever"}));
  Await([&] { return parent.ProcessCount() >= 100; }, "a hundred processes");
  EXPECT_LT(SecondsOf([&] { Must(cri().StopContainer(id, seconds(1))); }), 20);
  EXPECT_EQ(Status(id).state(), v1::CONTAINER_EXITED);
  EXPECT_EQ(Status(id).exit_code(), 137);
  Must(cri().StopPodSandbox(pod.id));
  EXPECT_EQ(parent.ProcessCount(), 0);
  Must(cri().RemovePodSandbox(pod.id));
}

TEST_F(Stop, TakesTheContainersOtherProcessesAlong) {
  const std::string marker = "9753" + std::to_string(getpid());
  const std::string id = StartAndAwaitUp(
      RunPod(), Shell("sleep " + marker + " & trap 'exit 0' TERM; echo up; sleep 1000 & wait"));
  Await([&] { return HostPid({"sleep", marker}) != 0; }, "the background process");
  Must(cri().StopContainer(id, seconds(10)));
  EXPECT_EQ(HostPid({"sleep", marker}), 0);
}

}  // namespace
}  // namespace bulkhead::fixture
