#include "shim/cri/translate_resources.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "shim/cri/translate_signal.h"
#include "tests/unit/cri/status_matcher.h"

namespace bulkhead::cri {
namespace {

namespace v1 = ::runtime::v1;

absl::Status StatusOf(const v1::LinuxContainerResources& resources) {
  Faults faults;
  ToResources(resources, Field("r"), faults);
  return faults.status();
}

TEST(ToResources, GivesBackWhatItTook) {
  v1::LinuxContainerResources resources;
  resources.set_cpu_period(100000);
  resources.set_cpu_quota(-1);
  resources.set_cpu_shares(1024);
  resources.set_memory_limit_in_bytes(1 << 20);
  resources.set_memory_swap_limit_in_bytes(1 << 21);
  resources.set_oom_score_adj(-997);
  resources.set_cpuset_cpus("0-2,7");
  resources.set_cpuset_mems("0");
  v1::HugepageLimit& limit = *resources.add_hugepage_limits();
  limit.set_page_size("2MB");
  limit.set_limit(4 << 20);
  (*resources.mutable_unified())["memory.high"] = "1000000";
  Faults faults;
  const spec::Resources taken = ToResources(resources, Field("r"), faults);
  ASSERT_TRUE(faults.empty()) << faults.status();
  EXPECT_EQ(taken.cpu_quota, -1);
  EXPECT_EQ(taken.memory_limit, 1 << 20);
  EXPECT_EQ(FromResources(taken).SerializeAsString(), resources.SerializeAsString());
}

TEST(ToResources, NamesANumberOutOfItsRange) {
  v1::LinuxContainerResources resources;
  resources.set_cpu_period(999);
  EXPECT_THAT(StatusOf(resources), IsInvalid("r.cpu_period: value 999 is not in 1000 to 1000000"));
  resources.set_cpu_period(0);
  resources.set_memory_limit_in_bytes(-2);
  EXPECT_THAT(StatusOf(resources), IsInvalidAt("r.memory_limit_in_bytes"));
}

TEST(ToResources, RefusesAUnifiedKeyThatLeavesTheCgroup) {
  for (const char* key : {"../memory.max", "", "..", "a/b"}) {
    v1::LinuxContainerResources resources;
    (*resources.mutable_unified())[key] = "1";
    EXPECT_THAT(StatusOf(resources), IsInvalidAt("r.unified")) << key;
  }
}

TEST(ToResources, RefusesACpusetThatIsNoList) {
  v1::LinuxContainerResources resources;
  resources.set_cpuset_cpus("0 1");
  EXPECT_THAT(StatusOf(resources),
              IsInvalid("r.cpuset_cpus: value \"0 1\" is not a list such as \"0-2,7\""));
}

TEST(ToResources, RefusesAnUnknownPageSize) {
  v1::LinuxContainerResources resources;
  resources.add_hugepage_limits()->set_page_size("../2MB");
  EXPECT_THAT(StatusOf(resources), IsInvalidAt("r.hugepage_limits[0].page_size"));
}

TEST(Signal, TurnsEveryValueIntoANameAndBack) {
  Faults faults;
  for (int value = v1::Signal_MIN; value <= v1::Signal_MAX; ++value) {
    const auto signal = static_cast<v1::Signal>(value);
    EXPECT_EQ(FromSignalName(ToSignalName(signal, Field("s"), faults)), signal);
  }
  EXPECT_TRUE(faults.empty());
  EXPECT_EQ(ToSignalName(v1::SIGNAL_SIGRTMINPLUS3, Field("s"), faults), "SIGRTMIN+3");
  EXPECT_EQ(ToSignalName(v1::SIGNAL_SIGRTMAXMINUS14, Field("s"), faults), "SIGRTMAX-14");
}

TEST(Signal, RefusesAValueThatDoesNotExist) {
  Faults faults;
  ToSignalName(static_cast<v1::Signal>(66), Field("s"), faults);
  EXPECT_THAT(faults.status(), IsInvalid("s: value 66 is not a Signal"));
}

}  // namespace
}  // namespace bulkhead::cri
