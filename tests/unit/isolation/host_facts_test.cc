#include "runtime/isolation/host_facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bulkhead::isolation {
namespace {

using testing::ElementsAre;

TEST(ParseCgroupFacts, FindsTheOneTreeOfV2AndTheOwnPlaceInIt) {
  absl::StatusOr<CgroupFacts> facts = ParseCgroupFacts(
      "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
      "0::/system.slice/bulkhead.service\n");
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(facts->layout, CgroupLayout::kV2);
  EXPECT_EQ(facts->v2->mount_point, "/sys/fs/cgroup");
  EXPECT_EQ(facts->v2->own_path, "/system.slice/bulkhead.service");
}

TEST(ParseCgroupFacts, KnowsAHybridHostWithControllersMountedTogether) {
  absl::StatusOr<CgroupFacts> facts = ParseCgroupFacts(
      "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
      "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"
      "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
      "50 31 0:29 / /other rw - cgroup cgroup rw,cpu,cpuacct\n",
      "9:name=systemd:/a\n3:cpu,cpuacct:/b\n0::/c\n");
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(facts->layout, CgroupLayout::kHybrid);
  ASSERT_EQ(facts->v1.size(), 2u);
  EXPECT_EQ(facts->FindV1("cpuacct")->own_path, "/b");
  EXPECT_EQ(facts->FindV1("cpuacct")->mount_point, "/sys/fs/cgroup/cpu,cpuacct");
  EXPECT_THAT(facts->FindV1("name=systemd")->controllers, ElementsAre("name=systemd"));
  EXPECT_EQ(facts->FindV1("memory"), nullptr);
  EXPECT_EQ(facts->v2->own_path, "/c");
}

TEST(ParseCgroupFacts, APathIsToldBelowTheRootOfItsMount) {
  absl::StatusOr<CgroupFacts> facts =
      ParseCgroupFacts("30 23 0:26 /pod /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "0::/pod/me\n");
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_EQ(facts->v2->own_path, "/me");
}

TEST(ParseCgroupFacts, AHostWithoutCgroupsIsAnError) {
  EXPECT_TRUE(absl::IsFailedPrecondition(
      ParseCgroupFacts("1 0 8:1 / / rw - ext4 /dev/sda rw\nbroken\n", "x\n").status()));
}

TEST(ProbeHost, FindsWhatThisHostHas) {
  absl::StatusOr<HostFacts> facts = ProbeHost();
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_FALSE(facts->kernel_release.empty());
  EXPECT_GT(facts->open_files_hard, 0u);
}

}  // namespace
}  // namespace bulkhead::isolation
