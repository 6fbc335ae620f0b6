#include "shim/daemon/call_log.h"

#include "gtest/gtest.h"

namespace bulkhead::daemon {
namespace {

TEST(SeverityOf, HidesWhatTheKubeletAsksAllTheTime) {
  EXPECT_EQ(SeverityOf("ListContainers", absl::OkStatus()), CallSeverity::kDetail);
  EXPECT_EQ(SeverityOf("Status", absl::OkStatus()), CallSeverity::kDetail);
  EXPECT_EQ(SeverityOf("ImageStatus", absl::OkStatus()), CallSeverity::kDetail);
  EXPECT_EQ(SeverityOf("ContainerStatus", absl::NotFoundError("x")), CallSeverity::kDetail);
}

TEST(SeverityOf, ShowsWhatChangesThings) {
  EXPECT_EQ(SeverityOf("RunPodSandbox", absl::OkStatus()), CallSeverity::kInfo);
  EXPECT_EQ(SeverityOf("UpdateRuntimeConfig", absl::OkStatus()), CallSeverity::kInfo);
  EXPECT_EQ(SeverityOf("ExecSync", absl::OkStatus()), CallSeverity::kInfo);
}

TEST(SeverityOf, TellsTheCallersMistakesFromOurs) {
  EXPECT_EQ(SeverityOf("CreateContainer", absl::InvalidArgumentError("x")), CallSeverity::kWarning);
  EXPECT_EQ(SeverityOf("StopContainer", absl::NotFoundError("x")), CallSeverity::kWarning);
  EXPECT_EQ(SeverityOf("CreateContainer", absl::InternalError("x")), CallSeverity::kError);
  EXPECT_EQ(SeverityOf("ListContainers", absl::InternalError("x")), CallSeverity::kError);
  EXPECT_EQ(SeverityOf("ListContainers", absl::UnavailableError("x")), CallSeverity::kWarning);
}

}  // namespace
}  // namespace bulkhead::daemon
