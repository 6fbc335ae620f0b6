#include "runtime/supervisor/protocol.h"

#include <gtest/gtest.h>

namespace bulkhead::supervisor {
namespace {

absl::StatusOr<uint32_t> Choose(uint32_t min, uint32_t max) {
  Hello hello;
  hello.set_protocol_min(min);
  hello.set_protocol_max(max);
  return ChooseProtocol(hello);
}

TEST(Protocol, IsTheNewestThatBothSpeak) {
  EXPECT_EQ(*Choose(kProtocolMin, kProtocolMax), kProtocolMax);
  EXPECT_EQ(*Choose(kProtocolMax, kProtocolMax + 5), kProtocolMax);
}

TEST(Protocol, OfANewerDaemonAloneIsRefused) {
  EXPECT_EQ(Choose(kProtocolMax + 1, kProtocolMax + 2).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(Protocol, OfAnOlderDaemonAloneIsRefused) {
  EXPECT_EQ(Choose(0, kProtocolMin - 1).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST(Protocol, RangesThatAreEmptyAreRefused) {
  EXPECT_EQ(Choose(2, 1).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace bulkhead::supervisor
