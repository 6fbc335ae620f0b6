#include "runtime/isolation/cgroup_resources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace bulkhead::isolation {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int64_t kMiB = 1 << 20;

CgroupState Everything() {
  CgroupState state;
  state.has_file = [](const std::string&) { return true; };
  return state;
}

CgroupState Without(const std::string& missing) {
  CgroupState state;
  state.has_file = [missing](const std::string& file) { return !file.starts_with(missing); };
  return state;
}

std::vector<std::string> Texts(const absl::StatusOr<std::vector<CgroupWrite>>& writes) {
  std::vector<std::string> texts;
  if (!writes.ok()) return {std::string(writes.status().message())};
  for (const CgroupWrite& write : *writes) {
    texts.push_back(absl::StrCat(write.file, "=", write.value));
  }
  return texts;
}

TEST(CgroupResources, WhatIsNotAskedIsNotWritten) {
  EXPECT_THAT(Texts(PlanV1Writes({}, Everything())), IsEmpty());
  EXPECT_THAT(Texts(PlanV2Writes({}, Everything())), IsEmpty());
}

TEST(CgroupResources, V1RaisesSwapBeforeMemoryAndLowersItAfter) {
  CgroupState state = Everything();
  state.memory_and_swap = 64 * kMiB;
  spec::Resources resources;
  resources.memory_limit = resources.memory_swap_limit = 128 * kMiB;
  EXPECT_THAT(
      Texts(PlanV1Writes(resources, state)),
      ElementsAre("memory.memsw.limit_in_bytes=134217728", "memory.limit_in_bytes=134217728"));
  resources.memory_limit = resources.memory_swap_limit = 32 * kMiB;
  EXPECT_THAT(
      Texts(PlanV1Writes(resources, state)),
      ElementsAre("memory.limit_in_bytes=33554432", "memory.memsw.limit_in_bytes=33554432"));
}

TEST(CgroupResources, V2CountsSwapWithoutMemory) {
  spec::Resources resources;
  resources.memory_limit = 64 * kMiB;
  resources.memory_swap_limit = 80 * kMiB;
  EXPECT_THAT(Texts(PlanV2Writes(resources, Everything())),
              ElementsAre("memory.max=67108864", "memory.swap.max=16777216"));
  resources.memory_limit = resources.memory_swap_limit = -1;
  EXPECT_THAT(Texts(PlanV2Writes(resources, Everything())),
              ElementsAre("memory.max=max", "memory.swap.max=max"));
}

TEST(CgroupResources, ASwapLimitWithoutSwapAccountingIsRefusedOnlyWhereThereIsSwap) {
  spec::Resources resources;
  resources.memory_limit = resources.memory_swap_limit = 64 * kMiB;
  CgroupState state = Without("memory.swap");
  EXPECT_THAT(Texts(PlanV2Writes(resources, state)), ElementsAre("memory.max=67108864"));
  state.swap_in_use = true;
  EXPECT_THAT(Texts(PlanV2Writes(resources, state)),
              ElementsAre(HasSubstr("memory_swap_limit_in_bytes")));
}

TEST(CgroupResources, SwapBelowMemoryIsRefused) {
  spec::Resources resources;
  resources.memory_limit = 2;
  resources.memory_swap_limit = 1;
  EXPECT_TRUE(absl::IsInvalidArgument(PlanV1Writes(resources, Everything()).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(PlanV2Writes(resources, Everything()).status()));
}

TEST(CgroupResources, ALimitWhoseControllerIsMissingIsRefusedByName) {
  spec::Resources resources;
  resources.cpu_shares = 100;
  const absl::Status status = PlanV1Writes(resources, Without("cpu.")).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("cpu_shares"));
}

TEST(CgroupResources, ALimitOfProcessesIsThatOfEitherVersion) {
  const spec::Resources resources = {.pids_limit = 1024};
  EXPECT_THAT(Texts(PlanV1Writes(resources, Everything())), ElementsAre("pids.max=1024"));
  EXPECT_THAT(Texts(PlanV2Writes(resources, Everything())), ElementsAre("pids.max=1024"));
  EXPECT_THAT(Texts(PlanV2Writes(resources, Without("pids."))),
              ElementsAre(HasSubstr("pids_limit")));
}

TEST(CgroupResources, V2QuotaAndPeriodAreOneValue) {
  CgroupState state = Everything();
  state.cpu_max = "5000 100000\n";
  spec::Resources resources;
  resources.cpu_quota = 20000;
  EXPECT_THAT(Texts(PlanV2Writes(resources, state)), ElementsAre("cpu.max=20000"));
  resources.cpu_period = 50000;
  EXPECT_THAT(Texts(PlanV2Writes(resources, state)), ElementsAre("cpu.max=20000 50000"));
  resources.cpu_quota = 0;
  EXPECT_THAT(Texts(PlanV2Writes(resources, state)), ElementsAre("cpu.max=5000 50000"));
  resources.cpu_quota = -1;
  EXPECT_THAT(Texts(PlanV2Writes(resources, state)), ElementsAre("cpu.max=max 50000"));
}

TEST(CgroupResources, SharesMapOntoWeightsWithTheirEndsAndTheirMiddle) {
  EXPECT_EQ(CpuWeight(2), 1u);
  EXPECT_EQ(CpuWeight(1024), 100u);
  EXPECT_EQ(CpuWeight(262144), 10000u);
  EXPECT_EQ(CpuWeight(-5), 1u);
  EXPECT_EQ(CpuWeight(int64_t{1} << 40), 10000u);
  for (int64_t shares = 3; shares < 262144; shares = shares * 5 / 4 + 1) {
    EXPECT_LE(CpuWeight(shares - 1), CpuWeight(shares));
  }
}

TEST(CgroupResources, AHugepageLimitNeedsItsFileOnlyWhenItLimits) {
  EXPECT_FALSE(IsRealHugepageLimit(0));
  EXPECT_FALSE(IsRealHugepageLimit(9223372036854771712ULL));
  EXPECT_TRUE(IsRealHugepageLimit(2 << 20));
  spec::Resources resources;
  resources.hugepage_limits = {{"2MB", 0}};
  EXPECT_THAT(Texts(PlanV2Writes(resources, Everything())),
              ElementsAre("hugetlb.2MB.max=0", "hugetlb.2MB.rsvd.max=0"));
  EXPECT_THAT(Texts(PlanV1Writes(resources, Without("hugetlb"))), IsEmpty());
  resources.hugepage_limits = {{"2MB", 2 << 20}};
  EXPECT_FALSE(PlanV1Writes(resources, Without("hugetlb")).ok());
  resources.hugepage_limits = {{"../x", 2 << 20}};
  EXPECT_TRUE(absl::IsInvalidArgument(PlanV1Writes(resources, Everything()).status()));
}

TEST(CgroupResources, UnifiedTakesControllersFilesAndNothingElse) {
  spec::Resources resources;
  resources.unified = {{"memory.high", "1000"}, {"io.max", "8:0 rbps=1\n8:16 rbps=2\n"}};
  EXPECT_THAT(Texts(PlanV2Writes(resources, Everything())),
              ElementsAre("io.max=8:0 rbps=1", "io.max=8:16 rbps=2", "memory.high=1000"));
  EXPECT_TRUE(absl::IsFailedPrecondition(PlanV1Writes(resources, Everything()).status()));
  for (const char* name :
       {"cgroup.procs", "cgroup.kill", "../memory.max", "memory/../x.y", "procs", ".x", ""}) {
    resources.unified = {{name, "1"}};
    EXPECT_TRUE(absl::IsInvalidArgument(PlanV2Writes(resources, Everything()).status())) << name;
  }
}

}  // namespace
}  // namespace bulkhead::isolation
