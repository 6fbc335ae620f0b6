#include "runtime/isolation/apparmor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bulkhead::isolation {
namespace {

using Type = spec::SecurityProfile::Type;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Planned(const spec::SecurityProfile& profile, const HostFacts& host) {
  const auto planned = PlanAppArmor({.apparmor = profile}, host);
  return planned.ok() ? *planned : std::string(planned.status().message());
}

TEST(PlanAppArmor, UnsetIsTheRuntimesDefault) {
  const HostFacts host{.apparmor = true};
  EXPECT_EQ(Planned({}, host), "bulkhead-default");
  EXPECT_EQ(Planned({Type::kRuntimeDefault}, host), "bulkhead-default");
  EXPECT_EQ(Planned({Type::kUnconfined}, host), "");
  EXPECT_EQ(Planned({Type::kLocalhost, "mine"}, host), "mine");
}

TEST(PlanAppArmor, AHostWithoutAppArmorRefusesWhatIsAskedByName) {
  const HostFacts host;
  EXPECT_EQ(Planned({}, host), "");
  EXPECT_EQ(Planned({Type::kRuntimeDefault}, host), "");
  EXPECT_EQ(Planned({Type::kUnconfined}, host), "");
  EXPECT_THAT(Planned({Type::kLocalhost, "mine"}, host), HasSubstr("\"mine\""));
  EXPECT_TRUE(absl::IsFailedPrecondition(
      PlanAppArmor({.apparmor = {Type::kLocalhost, "mine"}}, host).status()));
}

TEST(PlanAppArmor, APrivilegedContainerHasNone) {
  for (const Type type : {Type::kUnset, Type::kRuntimeDefault, Type::kLocalhost}) {
    const spec::SecurityContext security{.privileged = true, .apparmor = {type, "mine"}};
    EXPECT_EQ(PlanAppArmor(security, {.apparmor = true}).value_or("refused"), "");
    EXPECT_EQ(PlanAppArmor(security, {}).value_or("refused"), "");
  }
}

TEST(DefaultAppArmorPolicy, NamesItsAbiWhereTheHostHasIt) {
  EXPECT_THAT(DefaultAppArmorPolicy("abi/3.0"),
              StartsWith("abi <abi/3.0>,\nprofile bulkhead-default flags="));
  EXPECT_THAT(DefaultAppArmorPolicy(""), StartsWith("profile bulkhead-default flags="));
}

TEST(ListsProfile, TakesWholeNamesOnly) {
  constexpr char kList[] =
      "/usr/bin/man (enforce)\nmine (complain)\nwith (blank) in it (enforce)\na//b (enforce)\n";
  EXPECT_TRUE(ListsProfile(kList, "mine"));
  EXPECT_TRUE(ListsProfile(kList, "with (blank) in it"));
  EXPECT_TRUE(ListsProfile(kList, "a//b"));
  for (const char* name : {"", "min", "mine (complain)", "with", "a", "unconfined", "mine\na//b"}) {
    EXPECT_FALSE(ListsProfile(kList, name)) << name;
  }
  EXPECT_FALSE(ListsProfile("", "mine"));
}

}  // namespace
}  // namespace bulkhead::isolation
