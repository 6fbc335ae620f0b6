#include "runtime/kernel/status.h"

#include <errno.h>

#include "gtest/gtest.h"

namespace bulkhead {
namespace {

TEST(Annotate, PutsTheContextBeforeTheMessageAndKeepsTheCode) {
  const absl::Status status = Annotate(absl::NotFoundError("no such file"), "open /etc/passwd");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(status.message(), "open /etc/passwd: no such file");
}

TEST(Annotate, LeavesOkAlone) { EXPECT_TRUE(Annotate(absl::OkStatus(), "open").ok()); }

TEST(ErrnoStatus, KeepsTheErrnoThroughAnnotations) {
  const absl::Status status = Annotate(ErrnoStatus(ENOSPC, "write record"), "create pod");
  EXPECT_EQ(ErrnoOf(status), ENOSPC);
  EXPECT_NE(status.message().find("create pod: write record: No space left"), std::string::npos)
      << status;
}

TEST(ErrnoOf, IsZeroForAStatusOfNoSystemCall) { EXPECT_EQ(ErrnoOf(absl::InternalError("x")), 0); }

}  // namespace
}  // namespace bulkhead
