// The daemon's own metrics.
#include "tests/conformance/fixture/child.h"
#include "tests/conformance/fixture/daemon.h"
#include "tests/conformance/fixture/http.h"
#include "tests/conformance/fixture/pod_test.h"
#include "tests/conformance/fixture/test_cgroup.h"

namespace bulkhead::fixture {
namespace {

class Metrics : public PodTest {
 protected:
  void SetUp() override {
    if (suite().daemon() == nullptr) GTEST_SKIP() << "of a daemon of the suite's own";
  }

  std::string Scrape() {
    const HttpAnswer answer = Http(
        "GET", "http://127.0.0.1:" + std::to_string(suite().daemon()->metrics_port()) + "/metrics");
    EXPECT_EQ(answer.status, 200);
    return answer.body;
  }

  bool Has(const std::string& result, int count) {
    return Scrape().find("bulkhead_isolation_containers{result=\"" + result + "\"} " +
                         std::to_string(count) + "\n") != std::string::npos;
  }
};

TEST_F(Metrics, CountContainersWhoseIsolationIsNotAsPlanned) {
  Pod pod = RunPod();
  const std::string mark = "1200340";
  auto config = Command({"sleep", mark});
  config.mutable_linux()->mutable_security_context()->add_masked_paths("/proc/keys");
  const std::string id = Start(pod, config);
  Start(pod, Idle());
  Await([&] { return Has("as_planned", 2); }, "two containers as planned");
  EXPECT_TRUE(Has("differs", 0));

  // Whoever is root on the host may open a mask.
  const std::string pid = std::to_string(HostPid({"sleep", mark}));
  RunCommand({"nsenter", "-t", pid, "-m", "sh", "-c", "umount /proc/keys"});
  Await([&] { return Has("differs", 1); }, "one that is not");
  EXPECT_TRUE(Has("as_planned", 1));
  Must(cri().StopContainer(id, std::chrono::seconds(0)));
  Must(cri().RemoveContainer(id));
  Await([&] { return Has("differs", 0); }, "none any more");
}

}  // namespace
}  // namespace bulkhead::fixture
