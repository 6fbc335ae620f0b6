#include "shim/policy/selinux_levels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "runtime/spec/selinux.h"

namespace bulkhead::policy {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Takes all that are left.
std::set<std::string> Rest(SelinuxLevels& levels) {
  std::set<std::string> taken;
  for (int pod = 0;; ++pod) {
    const absl::StatusOr<std::string> level = levels.Take("rest" + std::to_string(pod));
    if (!level.ok()) return taken;
    EXPECT_TRUE(taken.insert(*level).second) << *level;
  }
}

TEST(SelinuxLevels, GivesEachPodAnotherPair) {
  SelinuxLevels levels(4);
  EXPECT_THAT(Rest(levels),
              ElementsAre("s0:c0,c1", "s0:c0,c2", "s0:c0,c3", "s0:c1,c2", "s0:c1,c3", "s0:c2,c3"));
  EXPECT_TRUE(absl::IsResourceExhausted(levels.Take("one more").status()));
}

TEST(SelinuxLevels, AreLevelsOfAPolicy) {
  SelinuxLevels levels;
  for (int pod = 0; pod < 1000; ++pod) {
    const absl::StatusOr<std::string> level = levels.Take(std::to_string(pod));
    ASSERT_TRUE(level.ok()) << level.status();
    EXPECT_TRUE(spec::IsSelinuxLevel(*level)) << *level;
  }
}

TEST(SelinuxLevels, AReleasedOneIsFreeAgain) {
  SelinuxLevels levels(2);
  EXPECT_EQ(*levels.Take("pod"), "s0:c0,c1");
  levels.Release("another");
  EXPECT_FALSE(levels.Take("next").ok());
  levels.Release("pod");
  levels.Release("pod");
  EXPECT_TRUE(levels.Take("next").ok());
}

TEST(SelinuxLevels, GiveNoneThatAPodAskedForHoweverItIsWritten) {
  for (const char* asked : {"s0:c1,c2", "s0:c2,c1", "s0:c1.c2", "s0-s0:c2,c1"}) {
    SelinuxLevels levels(3);
    levels.Keep("pod", asked);
    levels.Keep("sharing it", asked);
    EXPECT_THAT(Rest(levels), ElementsAre("s0:c0,c1", "s0:c0,c2")) << asked;
  }
  for (const char* asked : {"", "s0", "s1:c0,c1", "s0:c0.c2", "s0:c0,c1,c2", "s0:c0,c1-s0:c0.c2"}) {
    SelinuxLevels levels(3);
    levels.Keep("pod", asked);
    EXPECT_EQ(Rest(levels).size(), 3) << asked;
  }
}

TEST(SelinuxLevels, OfAPodAreAllReleasedWithIt) {
  SelinuxLevels levels(3);
  for (const char* asked : {"s0:c0,c1", "s0:c1,c2", "s0:c1,c2"}) levels.Keep("pod", asked);
  levels.Keep("another", "s0:c1,c2");
  levels.Release("pod");
  EXPECT_THAT(Rest(levels), ElementsAre("s0:c0,c1", "s0:c0,c2"));
}

TEST(IsSelinuxPair, IsOneOfTwoCategoriesInAnyOrder) {
  for (const char* pair : {"s0:c4,c5", "s0:c5,c4", "s0:c4.c5", "s0:c0,c1023"}) {
    EXPECT_TRUE(IsSelinuxPair(pair)) << pair;
  }
  for (const char* other : {"", "s0", "s0:c4", "s0:c4,c4", "s0:c0.c1023", "s0:c1,c2,c3",
                            "s0-s0:c4,c5", "s0:c4,c5-s0:c4,c5", "s1:c4,c5"}) {
    EXPECT_FALSE(IsSelinuxPair(other)) << other;
  }
}

TEST(SelinuxLevels, GiveNoneOnceSomeAreUnknown) {
  SelinuxLevels levels;
  levels.Close("a record cannot be read");
  EXPECT_TRUE(absl::IsFailedPrecondition(levels.Take("pod").status()));
  EXPECT_THAT(std::string(levels.Take("pod").status().message()), HasSubstr("cannot be read"));
}

}  // namespace
}  // namespace bulkhead::policy
