#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>

#include "tests/kernel/pods/real_pods.h"

namespace bulkhead::pods {
namespace {

using std::chrono::seconds;
using ::testing::EndsWith;

class ExecSync : public RealPods {
 protected:
  ExecSync() : id_(Start(Run(PodOf("web")), ContainerOf("c", "exec sleep 1000"))) {}
  absl::StatusOr<ExecResult> Exec(const std::string& script, int timeout = 0) {
    return pods_->ExecSync(id_, {"/bin/sh", "-c", script}, seconds(timeout));
  }
  const std::string id_;
};

TEST_F(ExecSync, ReturnsOutputAndCode) {
  const auto result = Exec("echo out; echo err >&2; exit 3");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->standard_output, "out\n");
  EXPECT_EQ(result->standard_error, "err\n");
  EXPECT_EQ(result->exit_code, 3);
}

TEST_F(ExecSync, KillsWhatTakesTooLongWithAllItStarted) {
  const auto result = Exec("sleep 1000 & sleep 1000", 1);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(Exec("ps | grep -c '[s]leep 1000'")->standard_output, "1\n");
}

TEST_F(ExecSync, DoesNotWaitForABackgroundChildThatHoldsThePipe) {
  const auto begin = std::chrono::steady_clock::now();
  const auto result = Exec("sleep 1000 & echo done");
  EXPECT_EQ(result->standard_output, "done\n");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, seconds(10));
}

TEST_F(ExecSync, CutsOutputBelowTheMessageLimitAndKeepsTheCode) {
  const auto result = Exec("yes | head -c 20000000; yes | head -c 20000000 >&2; exit 5");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_LT(result->standard_output.size() + result->standard_error.size(), size_t{16} << 20);
  EXPECT_THAT(result->standard_error, EndsWith("more bytes were written]\n"));
  EXPECT_EQ(result->exit_code, 5);
}

TEST_F(ExecSync, IsEndedByAStopAndJoinsNoOther) {
  const auto run = [this] { return Exec("echo x >> /tmp/runs; exec sleep 1000"); };
  auto first = std::async(std::launch::async, run);
  auto second = std::async(std::launch::async, run);
  while (Exec("cat /tmp/runs")->standard_output != "x\nx\n") {
  }
  ASSERT_TRUE(pods_->StopContainer(id_, seconds(0)).ok());
  EXPECT_EQ(first.get()->exit_code, 137);
  EXPECT_EQ(second.get()->exit_code, 137);
}

TEST_F(ExecSync, FailsForAProgramThatIsNotThere) {
  EXPECT_FALSE(pods_->ExecSync(id_, {"/bin/nothing"}, seconds(0)).ok());
}

TEST_F(ExecSync, FailsWhereNothingRuns) {
  ASSERT_TRUE(pods_->StopContainer(id_, seconds(0)).ok());
  EXPECT_EQ(Exec("true").status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace bulkhead::pods
