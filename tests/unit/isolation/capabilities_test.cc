#include "runtime/isolation/capabilities.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/capability.h>

namespace bulkhead::isolation {
namespace {

using testing::HasSubstr;

// A host without CAP_SYS_RESOURCE.
constexpr uint64_t kHost = 0x1fffeffffff;

constexpr uint64_t Bit(int capability) { return uint64_t{1} << capability; }

CapabilitySets Plan(const spec::Capabilities& capabilities, bool privileged = false) {
  spec::SecurityContext security;
  security.capabilities = capabilities;
  security.privileged = privileged;
  absl::StatusOr<CapabilitySets> sets = PlanCapabilities(security, kHost);
  EXPECT_TRUE(sets.ok()) << sets.status();
  return sets.ok() ? *sets : CapabilitySets{};
}

TEST(PlanCapabilities, NothingAskedIsTheDefaultSetAndNothingInheritable) {
  const CapabilitySets sets = Plan({});
  EXPECT_EQ(sets.bounding, DefaultCapabilities());
  EXPECT_EQ(sets.effective, sets.bounding);
  EXPECT_EQ(sets.permitted, sets.bounding);
  EXPECT_EQ(sets.inheritable, 0u);
  EXPECT_EQ(sets.ambient, 0u);
  EXPECT_EQ(sets.bounding, 0xa80425fbu);
}

TEST(PlanCapabilities, AddsAndDropsByNameInAnyForm) {
  const CapabilitySets sets = Plan({.add = {"NET_ADMIN", "cap_sys_time"}, .drop = {"CHOWN"}});
  EXPECT_EQ(sets.bounding,
            (DefaultCapabilities() | Bit(CAP_NET_ADMIN) | Bit(CAP_SYS_TIME)) & ~Bit(CAP_CHOWN));
}

TEST(PlanCapabilities, AllIsWhatTheHostHas) {
  EXPECT_EQ(Plan({.add = {"ALL"}}).bounding, kHost);
  EXPECT_EQ(Plan({.add = {"ALL"}, .drop = {"SYS_ADMIN"}}).bounding, kHost & ~Bit(CAP_SYS_ADMIN));
  EXPECT_EQ(Plan({.drop = {"ALL"}}).bounding, 0u);
  EXPECT_EQ(Plan({.add = {"KILL"}, .drop = {"ALL"}}).bounding, Bit(CAP_KILL));
}

TEST(PlanCapabilities, WhatTheHostHasNotIsNotGiven) {
  EXPECT_EQ(Plan({.add = {"SYS_RESOURCE"}}).bounding, DefaultCapabilities());
}

TEST(PlanCapabilities, PrivilegedIsEverythingWhateverTheLists) {
  EXPECT_EQ(Plan({.drop = {"ALL"}}, true).bounding, kHost);
}

TEST(PlanCapabilities, AmbientOnesAreInheritable) {
  const CapabilitySets sets = Plan({.add_ambient = {"NET_BIND_SERVICE"}});
  EXPECT_EQ(sets.ambient, Bit(CAP_NET_BIND_SERVICE));
  EXPECT_EQ(sets.inheritable, Bit(CAP_NET_BIND_SERVICE));
}

TEST(PlanCapabilities, AnUnknownNameIsAnErrorThatNamesIt) {
  for (const char* name : {"SYS_EVERYTHING", "", "21", "CAP_21", "CAP_"}) {
    spec::SecurityContext security;
    security.capabilities.add = {"CHOWN", name};
    const absl::Status status = PlanCapabilities(security, kHost).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << name;
    EXPECT_THAT(std::string(status.message()), HasSubstr("add_capabilities[1]"));
  }
}

TEST(PlanCapabilities, AnAmbientOneOutsideTheSetIsAnError) {
  spec::SecurityContext security;
  security.capabilities = {.drop = {"ALL"}, .add_ambient = {"CHOWN"}};
  EXPECT_TRUE(absl::IsInvalidArgument(PlanCapabilities(security, kHost).status()));
}

}  // namespace
}  // namespace bulkhead::isolation
