#include "shim/ctl/planned_label.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "shim/pods/record.h"

namespace bulkhead::ctl {
namespace {

TEST(PlannedLabel, IsThatOfTheContainersRecord) {
  std::string state = ::testing::TempDir() + "bulkhead-labels-XXXXXX";
  ASSERT_NE(mkdtemp(state.data()), nullptr);
  const pods::RecordStore records(state + "/pods");
  ASSERT_TRUE(records.Open().ok());
  pods::PodFile file{.pod = {.id = std::string(64, 'a')}};
  file.containers = {{.id = "b", .apparmor_profile = "bulkhead-default"},
                     {.id = "c", .selinux = {.process = "u:r:t:s0:c4,c5", .mount = "m"}},
                     {.id = "d"}};
  ASSERT_TRUE(records.Write(file).ok());
  EXPECT_EQ(PlannedLabel(state, "b"), "bulkhead-default");
  EXPECT_EQ(PlannedLabel(state, "c"), "u:r:t:s0:c4,c5");
  EXPECT_EQ(PlannedLabel(state, "d"), "");
  EXPECT_EQ(PlannedLabel(state, "e"), std::nullopt);
  std::filesystem::remove_all(state);
  EXPECT_EQ(PlannedLabel(state, "b"), std::nullopt);
}

TEST(IsPlannedLabel, KnowsAppArmorsModes) {
  EXPECT_TRUE(IsPlannedLabel("bulkhead-default (enforce)", "bulkhead-default"));
  EXPECT_TRUE(IsPlannedLabel("u:r:t:s0:c4,c5", "u:r:t:s0:c4,c5"));
  EXPECT_TRUE(IsPlannedLabel("unconfined", ""));
  EXPECT_FALSE(IsPlannedLabel("unconfined", "bulkhead-default"));
  EXPECT_FALSE(IsPlannedLabel("u:r:t:s0:c4,c56", "u:r:t:s0:c4,c5"));
}

}  // namespace
}  // namespace bulkhead::ctl
