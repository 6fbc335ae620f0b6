#include "runtime/isolation/limit_comparison.h"

#include "gtest/gtest.h"

namespace bulkhead::isolation {
namespace {

TEST(CompareLimit, TakesWhatTheKernelMakesOfAValueForTheValue) {
  EXPECT_EQ(CompareLimit("/c/memory.max", "1000000", "999424"), Verdict::kAsPlanned);
  EXPECT_EQ(CompareLimit("/c/cpu.max", "50000", "50000 100000"), Verdict::kAsPlanned);
  EXPECT_EQ(CompareLimit("/c/cpuset.cpus", "0,1,2", "0-2"), Verdict::kAsPlanned);
  EXPECT_EQ(CompareLimit("/c/memory.limit_in_bytes", "-1", "9223372036854771712"),
            Verdict::kAsPlanned);
  EXPECT_EQ(CompareLimit("/c/io.max", "8:0 rbps=10", "8:0 rbps=10\n8:16 wbps=20"),
            Verdict::kAsPlanned);
}

TEST(CompareLimit, TellsALowerBoundFromAHigherOne) {
  EXPECT_EQ(CompareLimit("/c/pids.max", "100", "99"), Verdict::kByItself);
  EXPECT_EQ(CompareLimit("/c/pids.max", "100", "101"), Verdict::kDiffers);
  EXPECT_EQ(CompareLimit("/c/pids.max", "100", "max"), Verdict::kDiffers);
  EXPECT_EQ(CompareLimit("/c/cpuset.cpus", "0-3", "1"), Verdict::kByItself);
  EXPECT_EQ(CompareLimit("/c/cpuset.cpus", "0-3", "0-4"), Verdict::kDiffers);
}

TEST(CompareLimit, TellsAnyOtherWeightOrReserve) {
  EXPECT_EQ(CompareLimit("/c/cpu.weight", "100", "50"), Verdict::kDiffers);
  EXPECT_EQ(CompareLimit("/c/memory.min", "1000000", "999424"), Verdict::kAsPlanned);
  EXPECT_EQ(CompareLimit("/c/memory.min", "1000000", "0"), Verdict::kDiffers);
}

TEST(CompareLimit, TellsTextThatIsNoNumber) {
  EXPECT_EQ(CompareLimit("/c/cpuset.cpus", "0", "x"), Verdict::kDiffers);
  EXPECT_EQ(CompareLimit("/c/pids.max", "10", ""), Verdict::kDiffers);
}

}  // namespace
}  // namespace bulkhead::isolation
