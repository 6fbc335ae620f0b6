// What a repeated call does: the kubelet repeats whatever it got no answer to.
#include <mutex>
#include <thread>

#include "tests/conformance/fixture/pod_test.h"

namespace bulkhead::fixture {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Retry : public PodTest {
 protected:
  void SetUp() override {
    if (!suite().is_bulkhead()) GTEST_SKIP() << "another runtime has another table";
  }
  // Several of the same call at once; what they returned.
  template <typename Call>
  static auto AtOnce(int count, Call call) {
    std::vector<decltype(call())> results;
    std::mutex mutex;
    std::vector<std::thread> callers;
    for (int i = 0; i < count; ++i) {
      callers.emplace_back([&] {
        auto result = call();
        std::lock_guard lock(mutex);
        results.push_back(std::move(result));
      });
    }
    for (std::thread& caller : callers) caller.join();
    return results;
  }
};

TEST_F(Retry, RunPodSandboxAfterSuccessReturnsTheSameSandbox) {
  Pod pod = RunPod();
  EXPECT_EQ(Must(cri().RunPodSandbox(pod.config)), pod.id);
}

TEST_F(Retry, RunPodSandboxInProgressIsJoined) {
  const auto config = PodConfig();
  auto ids = AtOnce(4, [&] { return cri().RunPodSandbox(config); });
  RemoveAtEnd(Must(ids[0]));
  for (auto& id : ids) EXPECT_EQ(Must(id), Must(ids[0]));
}

TEST_F(Retry, RunPodSandboxWithAnotherConfigurationNamesTheField) {
  Pod pod = RunPod();
  pod.config.set_hostname("another");
  auto refused = cri().RunPodSandbox(pod.config).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(refused.message()), testing::HasSubstr("hostname"));
}

TEST_F(Retry, RunPodSandboxAfterItsClientLeftSucceeds) {
  auto config = PodConfig();
  cri().RunPodSandbox(config, "", {.deadline = milliseconds(5)}).IgnoreError();
  RemoveAtEnd(Must(cri().RunPodSandbox(config)));
}

TEST_F(Retry, RunPodSandboxAfterRemovalMakesANewOne) {
  Pod pod = RunPod();
  Must(cri().StopPodSandbox(pod.id));
  Must(cri().RemovePodSandbox(pod.id));
  Pod again = RunPod(pod.config);
  EXPECT_NE(again.id, pod.id);
}

TEST_F(Retry, CreateContainerAfterSuccessReturnsTheSameContainer) {
  Pod pod = RunPod();
  const auto config = Idle();
  const std::string id = Create(pod, config);
  EXPECT_EQ(Create(pod, config), id);
}

TEST_F(Retry, CreateContainerInProgressIsJoined) {
  Pod pod = RunPod();
  const auto config = Idle();
  auto ids = AtOnce(4, [&] { return cri().CreateContainer(pod.id, config, pod.config); });
  for (auto& id : ids) EXPECT_EQ(Must(id), Must(ids[0]));
}

TEST_F(Retry, CreateContainerWithAnotherConfigurationNamesTheField) {
  Pod pod = RunPod();
  auto config = Idle();
  Create(pod, config);
  config.set_working_dir("/another");
  auto refused = cri().CreateContainer(pod.id, config, pod.config).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(std::string(refused.message()), testing::HasSubstr("working_dir"));
}

TEST_F(Retry, CreateContainerAfterItsFailureIsAFreshCall) {
  Pod pod = RunPod();
  auto config = Idle();
  config.mutable_linux()->mutable_security_context()->set_run_as_username("nobody-here");
  EXPECT_FALSE(cri().CreateContainer(pod.id, config, pod.config).ok());
  config.mutable_linux()->mutable_security_context()->clear_run_as_username();
  EXPECT_TRUE(cri().CreateContainer(pod.id, config, pod.config).ok());
}

TEST_F(Retry, StopPodSandboxCancelsARunInProgressOrStopsItsResult) {
  const auto config = PodConfig();
  absl::StatusOr<std::string> run;
  std::thread runner([&] { run = cri().RunPodSandbox(config); });
  v1::PodSandboxFilter filter;
  std::string id;
  Await(
      [&] {
        for (const auto& pod : Must(cri().ListPodSandbox(filter))) {
          if (pod.metadata().uid() == config.metadata().uid()) id = pod.id();
        }
        return !id.empty();
      },
      "the sandbox in the list");
  EXPECT_TRUE(cri().StopPodSandbox(id).ok());
  runner.join();
  EXPECT_TRUE(cri().RemovePodSandbox(id).ok());
  EXPECT_EQ(cri().PodSandboxStatus(id).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(Retry, StopAndRemoveOfAllKindsMayRace) {
  Pod pod = RunPod();
  const std::string id = Start(pod, Idle());
  auto results = AtOnce(3, [&] { return cri().StopContainer(id, seconds(5)); });
  for (auto& result : AtOnce(3, [&] { return cri().RemoveContainer(id); })) {
    EXPECT_TRUE(result.ok()) << result;
  }
  for (auto& result : AtOnce(3, [&] { return cri().StopPodSandbox(pod.id); })) {
    results.push_back(result);
  }
  for (auto& result : AtOnce(3, [&] { return cri().RemovePodSandbox(pod.id); })) {
    results.push_back(result);
  }
  for (auto& result : results) EXPECT_TRUE(result.ok()) << result;
}

TEST_F(Retry, RemoveContainerWhileItIsStoppedSucceeds) {
  Pod pod = RunPod();
  const std::string id = Start(pod, Shell("trap '' TERM; while :; do sleep 1; done"));
  std::thread stopper([&] { EXPECT_TRUE(cri().StopContainer(id, seconds(30)).ok()); });
  EXPECT_TRUE(cri().RemoveContainer(id).ok());
  stopper.join();
  EXPECT_EQ(cri().ContainerStatus(id).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace bulkhead::fixture
