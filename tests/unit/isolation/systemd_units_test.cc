#include "runtime/isolation/systemd_units.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>

#include "absl/strings/str_cat.h"

namespace bulkhead::isolation {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr uint64_t kInfinity = std::numeric_limits<uint64_t>::max();

UnitProperty Number(const char* name, uint64_t value) { return {name, value}; }

std::vector<UnitProperty> PropertiesOf(const spec::Resources& resources) {
  const auto properties = ResourceProperties(resources);
  EXPECT_TRUE(properties.ok()) << properties.status();
  return properties.value_or(std::vector<UnitProperty>());
}

TEST(SlicePath, NestsAtEachDash) {
  EXPECT_EQ(*SlicePath("kubepods-burstable-pod1_2.slice"),
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice");
  EXPECT_EQ(*SlicePath("system.slice"), "/system.slice");
}

TEST(SlicePath, RefusesWhatIsNoSliceOrWouldBeCalledOtherwise) {
  const std::string long_name = std::string(250, 'a') + ".slice";
  for (const std::string& name :
       {std::string("a.scope"), std::string("slice"), std::string(".slice"), std::string("-.slice"),
        std::string("a-.slice"), std::string("-a.slice"), std::string("a--b.slice"),
        std::string("a b.slice"), std::string("a/b.slice"), std::string("cpu.slice"),
        std::string("_a.slice"), std::string("a\n.slice"), long_name}) {
    EXPECT_TRUE(absl::IsInvalidArgument(SlicePath(name).status())) << name;
  }
}

TEST(SliceOfCgroup, IsTheKubeletsForACgroupName) {
  EXPECT_EQ(SliceOfCgroup("/kubepods/burstable/pod1-2"), "kubepods-burstable-pod1_2.slice");
}

TEST(UnitOfAPath, IsItsLastElementOnly) {
  EXPECT_EQ(ScopeOf("/a.slice/bulkhead-1.scope"), "bulkhead-1.scope");
  EXPECT_EQ(ScopeOf("/a.slice/bulkhead-1.scope/exec-2"), "");
  EXPECT_EQ(ScopeOf("/a.slice/session-1.scope"), "");
  EXPECT_EQ(SliceOf("/a.slice/a-b.slice"), "a-b.slice");
  EXPECT_EQ(SliceOf("/a.slice/bulkhead-1.scope"), "");
  EXPECT_EQ(ScopeOf("/a.slice/" + ScopeName("1")), "bulkhead-1.scope");
  EXPECT_EQ(IdOfScope(ScopeName("1")), "1");
  EXPECT_EQ(IdOfScope("session-1.scope"), "");
}

TEST(ScopeProperties, PutTheProcessInTheSliceWithAllControllers) {
  const auto properties = ScopeProperties("/a.slice/a-b.slice/bulkhead-1.scope", 42);
  EXPECT_THAT(properties, Contains(UnitProperty{"Slice", std::string("a-b.slice")}));
  EXPECT_THAT(properties, Contains(UnitProperty{"PIDs", std::vector<uint32_t>{42}}));
  EXPECT_THAT(properties, Contains(UnitProperty{"Delegate", true}));
  EXPECT_THAT(properties, Contains(Number("TasksMax", kInfinity)));
}

TEST(ResourceProperties, AreNoneWhereNothingIsAsked) { EXPECT_THAT(PropertiesOf({}), IsEmpty()); }

TEST(ResourceProperties, TellALimitOfProcesses) {
  EXPECT_THAT(PropertiesOf({.pids_limit = 1024}), Contains(Number("TasksMax", 1024)));
}

TEST(ResourceProperties, TellMemoryAndSwapApart) {
  const auto properties = PropertiesOf({.memory_limit = 100, .memory_swap_limit = 150});
  EXPECT_THAT(properties, Contains(Number("MemoryMax", 100)));
  EXPECT_THAT(properties, Contains(Number("MemorySwapMax", 50)));
  // Without a word of swap a reload would make "none" of "0".
  EXPECT_THAT(PropertiesOf({.memory_limit = 100, .memory_swap_limit = 100}),
              Contains(Number("MemorySwapMax", 0)));
  EXPECT_THAT(PropertiesOf({.memory_limit = -1, .memory_swap_limit = -1}),
              Contains(Number("MemoryMax", kInfinity)));
}

TEST(ResourceProperties, RoundTheQuotaUpToAPercentOfACpu) {
  EXPECT_THAT(PropertiesOf({.cpu_period = 100'000, .cpu_quota = 12'300}),
              Contains(Number("CPUQuotaPerSecUSec", 130'000)));
  EXPECT_THAT(PropertiesOf({.cpu_period = 100'000, .cpu_quota = 1'000}),
              Contains(Number("CPUQuotaPerSecUSec", 10'000)));
  const auto twice = PropertiesOf({.cpu_period = 50'000, .cpu_quota = 100'000});
  EXPECT_THAT(twice, Contains(Number("CPUQuotaPerSecUSec", 2'000'000)));
  EXPECT_THAT(twice, Contains(Number("CPUQuotaPeriodUSec", 50'000)));
  EXPECT_THAT(PropertiesOf({.cpu_quota = -1}), Contains(Number("CPUQuotaPerSecUSec", kInfinity)));
}

TEST(ResourceProperties, MakeBitsOfCpusetLists) {
  const auto properties = PropertiesOf({.cpuset_cpus = "0,2-3,9", .cpuset_mems = "0"});
  EXPECT_THAT(properties,
              Contains(UnitProperty{"AllowedCPUs", std::vector<uint8_t>{0b1101, 0b10}}));
  EXPECT_THAT(properties, Contains(UnitProperty{"AllowedMemoryNodes", std::vector<uint8_t>{1}}));
  for (const char* list : {"a", "3-1", "1-", "9999999"}) {
    EXPECT_THAT(ResourceProperties({.cpuset_cpus = list}).status().message(),
                HasSubstr("cpuset_cpus"));
  }
}

TEST(ResourceProperties, TakeTheUnifiedFilesThatSystemdWritesToo) {
  const auto properties = PropertiesOf({.unified = {{"memory.high", "4096\n"},
                                                    {"memory.min", "max"},
                                                    {"pids.max", "7"},
                                                    {"cpu.max", "50000 100000"},
                                                    {"hugetlb.2MB.max", "0"}}});
  EXPECT_THAT(properties, Contains(Number("MemoryHigh", 4096)));
  EXPECT_THAT(properties, Contains(Number("MemoryMin", kInfinity)));
  EXPECT_THAT(properties, Contains(Number("TasksMax", 7)));
  EXPECT_THAT(properties, Contains(Number("CPUQuotaPerSecUSec", 500'000)));
  EXPECT_EQ(properties.size(), 5u);
}

TEST(ResourceProperties, RefuseWhatTheNextReloadWouldReset) {
  const auto refused = ResourceProperties({.unified = {{"io.max", "8:0 rbps=1"}}});
  EXPECT_TRUE(absl::IsFailedPrecondition(refused.status()));
  EXPECT_THAT(refused.status().message(), HasSubstr("unified[\"io.max\"]"));
  for (const auto& [file, value] : std::map<std::string, std::string>{
           {"memory.high", "much"}, {"cpu.max", "1 0"}, {"pids.max", "-1"}}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ResourceProperties({.unified = {{file, value}}}).status()))
        << file;
  }
}

}  // namespace
}  // namespace bulkhead::isolation
