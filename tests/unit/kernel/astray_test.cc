#include "runtime/kernel/astray.h"

#include <errno.h>

#include "gtest/gtest.h"
#include "runtime/kernel/status.h"

namespace bulkhead {
namespace {

TEST(Astray, IsKeptThroughAnnotationsAndTrueOfNoOtherError) {
  const absl::Status status = ErrnoStatus(ENOMEM, "setns");
  EXPECT_FALSE(IsAstray(status));
  EXPECT_FALSE(IsAstray(absl::OkStatus()));
  EXPECT_TRUE(IsAstray(Annotate(Astray(status), "create container")));
  EXPECT_EQ(ErrnoOf(Astray(status)), ENOMEM);
}

}  // namespace
}  // namespace bulkhead
