#include "shim/policy/host_ids.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bulkhead::policy {
namespace {

using testing::HasSubstr;

constexpr uint32_t kFirst = 0x70000000;

spec::UserNamespace SpaceAt(uint32_t host, uint32_t size = 65536) {
  const std::vector<spec::IdRange> map = {{0, host, size}};
  return {.mode = spec::NamespaceMode::kPod, .uids = map, .gids = map};
}

spec::NamespaceOptions Asked(const spec::UserNamespace& space) { return {.user = space}; }

TEST(HostIds, AreAnotherRangeForEachPod) {
  HostIds ids(kFirst, 2);
  EXPECT_EQ(*ids.Take("a"), SpaceAt(kFirst));
  EXPECT_EQ(*ids.Take("b"), SpaceAt(kFirst + 65536));
}

TEST(HostIds, AreExhaustedWithTheKeysNamedAndFreeAgainAfterARelease) {
  HostIds ids(kFirst, 2);
  ASSERT_TRUE(ids.Take("a").ok());
  ASSERT_TRUE(ids.Take("b").ok());
  const absl::Status none = ids.Take("c").status();
  EXPECT_EQ(none.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(none.message()), HasSubstr("isolation.first_host_id 1879048192"));
  EXPECT_THAT(std::string(none.message()), HasSubstr("isolation.host_id_ranges 2"));
  ids.Release("a");
  ids.Release("a");
  EXPECT_EQ(*ids.Take("c"), SpaceAt(kFirst));
  EXPECT_FALSE(ids.Take("d").ok());
}

TEST(HostIds, ThoseOfAPodThatIsThereAlreadyAreNotGivenAgain) {
  HostIds ids(kFirst, 4);
  ids.Keep("kept", SpaceAt(kFirst));
  // Of the kubelet, before this range was configured, and not on its borders.
  ids.Keep("kubelets", SpaceAt(kFirst + 65536 + 1, 65536));
  EXPECT_EQ(*ids.Take("new"), SpaceAt(kFirst + 3 * 65536));
  EXPECT_FALSE(ids.Take("newer").ok());
  ids.Release("kept");
  EXPECT_EQ(*ids.Take("newer"), SpaceAt(kFirst));
}

TEST(HostIds, AreNotGivenWhileThoseOfSomePodAreNotKnown) {
  HostIds ids(kFirst, 4);
  ids.Close("the ids of sandbox p1 are not known");
  const absl::Status none = ids.Take("new").status();
  EXPECT_EQ(none.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(none.message(), "the ids of sandbox p1 are not known");
}

TEST(HostIds, ThatAPodAsksForAreRefusedAndThoseBesideThemAreNot) {
  const HostIds ids(kFirst, 2);
  EXPECT_TRUE(ids.CheckApart({}).ok());
  EXPECT_TRUE(ids.CheckApart(Asked(SpaceAt(131072))).ok());
  EXPECT_TRUE(ids.CheckApart(Asked(SpaceAt(kFirst - 65536))).ok());
  EXPECT_TRUE(ids.CheckApart(Asked(SpaceAt(kFirst + 2 * 65536))).ok());
  for (const spec::UserNamespace& space :
       {SpaceAt(kFirst), SpaceAt(kFirst + 65536, 1), SpaceAt(kFirst - 1, 2), SpaceAt(1, kFirst)}) {
    const absl::Status status = ids.CheckApart(Asked(space));
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), HasSubstr("userns_options.uids[0].host_id"));
  }
  spec::UserNamespace groups = SpaceAt(131072);
  groups.gids = SpaceAt(kFirst).gids;
  EXPECT_THAT(std::string(ids.CheckApart(Asked(groups)).message()), HasSubstr("gids[0]"));
}

}  // namespace
}  // namespace bulkhead::policy
