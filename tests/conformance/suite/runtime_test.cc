// What the kubelet asks of the runtime itself.
#include "tests/conformance/fixture/pod_test.h"

namespace bulkhead::fixture {
namespace {

using Runtime = PodTest;

TEST_F(Runtime, NamesItselfAndTheVersionOfTheInterface) {
  auto version = Must(cri().Version());
  EXPECT_EQ(version.version(), "0.1.0");
  EXPECT_EQ(version.runtime_api_version(), "v1");
  EXPECT_FALSE(version.runtime_name().empty());
  EXPECT_FALSE(version.runtime_version().empty());
}

TEST_F(Runtime, IsReadyAndHasANetwork) {
  const auto response = Must(cri().Status());
  std::map<std::string, bool> conditions;
  for (const auto& condition : response.status().conditions()) {
    conditions[condition.type()] = condition.status();
  }
  EXPECT_TRUE(conditions["RuntimeReady"]);
  EXPECT_TRUE(conditions["NetworkReady"]);
}

TEST_F(Runtime, TellsTheCgroupDriver) {
  auto driver = Must(cri().RuntimeConfig()).linux().cgroup_driver();
  EXPECT_THAT(driver, testing::AnyOf(v1::CGROUPFS, v1::SYSTEMD));
}

TEST_F(Runtime, TakesThePodAddressRange) {
  EXPECT_TRUE(cri().UpdateRuntimeConfig("10.85.0.0/16").ok());
}

TEST_F(Runtime, RefusesAnUnknownHandler) {
  EXPECT_FALSE(cri().RunPodSandbox(PodConfig(), "no-such-handler").ok());
}

}  // namespace
}  // namespace bulkhead::fixture
