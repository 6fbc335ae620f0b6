#include "shim/daemon/signals.h"

#include <signal.h>
#include <unistd.h>

#include "gtest/gtest.h"

namespace bulkhead::daemon {
namespace {

TEST(SignalQueue, DeliversSignalsWithTheirValues) {
  absl::StatusOr<SignalQueue> queue = SignalQueue::Create();
  ASSERT_TRUE(queue.ok()) << queue.status();
  sigval value{};
  value.sival_int = 7;
  ASSERT_EQ(sigqueue(getpid(), SIGUSR1, value), 0);
  absl::StatusOr<Signal> signal = queue->Next();
  ASSERT_TRUE(signal.ok()) << signal.status();
  EXPECT_EQ(signal->number, SIGUSR1);
  EXPECT_EQ(signal->value, 7);
  ASSERT_EQ(kill(getpid(), SIGTERM), 0);
  signal = queue->Next();
  ASSERT_TRUE(signal.ok()) << signal.status();
  EXPECT_EQ(signal->number, SIGTERM);
  EXPECT_FALSE(signal->value.has_value());
}

TEST(VerbosityAfter, GoesUpAndDownByOneWithinItsRange) {
  EXPECT_EQ(VerbosityAfter({.number = SIGUSR1}, 2), 3);
  EXPECT_EQ(VerbosityAfter({.number = SIGUSR2}, 2), 1);
  EXPECT_EQ(VerbosityAfter({.number = SIGUSR1}, 10), 10);
  EXPECT_EQ(VerbosityAfter({.number = SIGUSR2}, 0), 0);
}

TEST(VerbosityAfter, IsTheSignalsValueWhenItHasOne) {
  EXPECT_EQ(VerbosityAfter({.number = SIGUSR1, .value = 7}, 2), 7);
  EXPECT_EQ(VerbosityAfter({.number = SIGUSR1, .value = 0}, 2), 0);
  EXPECT_EQ(VerbosityAfter({.number = SIGUSR1, .value = 1000000}, 2), 10);
}

}  // namespace
}  // namespace bulkhead::daemon
