#include "runtime/isolation/report.h"

#include <unistd.h>

#include "gtest/gtest.h"

namespace bulkhead::isolation {
namespace {

TEST(ParseCredentials, ReadsIdsSetsAndSwitches) {
  const CredentialsReport report = ParseCredentials(
      "Name:\tnginx\nUid:\t0\t101\t101\t101\nGid:\t0\t102\t102\t102\nGroups:\t102 2000 \n"
      "CapInh:\t0000000000000000\nCapBnd:\t00000000a80425fb\nNoNewPrivs:\t1\nSeccomp:\t2\n"
      "Seccomp_filters:\t1\n");
  EXPECT_EQ(report.uid, 101u);
  EXPECT_EQ(report.gid, 102u);
  EXPECT_EQ(report.groups, (std::vector<uint32_t>{102, 2000}));
  EXPECT_EQ(report.capabilities.at("bounding"), 0xa80425fbu);
  EXPECT_EQ(report.capabilities.at("inheritable"), 0u);
  EXPECT_TRUE(report.no_new_privs);
  EXPECT_EQ(report.seccomp_mode, 2);
  EXPECT_EQ(report.seccomp_filters, 1);
}

TEST(ParseMounts, TellsPropagationFromTheOptionalFields) {
  const std::vector<MountReport> mounts = ParseMounts(
      "36 35 98:0 / / rw,noatime - overlay overlay rw\n"
      "37 36 0:5 / /data ro,nosuid shared:7 master:3 - ext4 /dev/sda rw\n");
  ASSERT_EQ(mounts.size(), 2u);
  EXPECT_EQ(mounts[0].propagation, "private");
  EXPECT_EQ(mounts[1].destination, "/data");
  EXPECT_EQ(mounts[1].type, "ext4");
  EXPECT_EQ(mounts[1].propagation, "shared:7 master:3");
}

TEST(ParseMounts, ReadsEscapedCharacters) {
  const std::vector<MountReport> mounts =
      ParseMounts("37 36 0:5 /a\\040b /c\\134d\\01 rw - ext4 /dev/sda rw\n");
  ASSERT_EQ(mounts.size(), 1u);
  EXPECT_EQ(mounts[0].root, "/a b");
  EXPECT_EQ(mounts[0].destination, "/c\\d\\01");
}

TEST(FindMount, SeesWhatTheKernelWould) {
  const std::vector<MountReport> mounts = {{.id = 1, .parent = 9, .destination = "/"},
                                           {.id = 2, .parent = 1, .destination = "/proc"},
                                           {.id = 3, .parent = 2, .destination = "/proc/keys"},
                                           {.id = 4, .parent = 2, .destination = "/proc"},
                                           {.id = 5, .parent = 1, .destination = "/v/w"},
                                           {.id = 6, .parent = 5, .destination = "/v/w"}};
  EXPECT_EQ(FindMount(mounts, "/")->id, 1u);
  EXPECT_EQ(FindMount(mounts, "/proc")->id, 4u);
  EXPECT_EQ(FindMount(mounts, "/proc/keys"), nullptr) << "hidden by the second /proc";
  EXPECT_EQ(FindMount(mounts, "/v/w")->id, 6u);
  EXPECT_EQ(FindMount(mounts, "/v"), nullptr);
}

TEST(ReadIsolation, RefusesAProcessOfAnotherCgroup) {
  EXPECT_EQ(ReadIsolation(getpid(), "0123456789abcdef").status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(ReadIsolation, SaysNotFoundForAProcessThatHasEnded) {
  // Above the largest pid_max, so no process can have it.
  EXPECT_EQ(ReadIsolation(1 << 23, "x").status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace bulkhead::isolation
