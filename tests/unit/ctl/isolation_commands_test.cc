#include "shim/ctl/isolation_commands.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bulkhead::ctl {
namespace {

const std::string kPod(64, 'a');
const std::string kContainer = "beef" + std::string(60, '0');
const std::string kOther = "beee" + std::string(60, '0');

// A stand-in for /proc.
class FindContainerTest : public ::testing::Test {
 protected:
  FindContainerTest() {
    std::string name = ::testing::TempDir() + "bulkhead-proc-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    proc_ = name;
    std::filesystem::create_directory(proc_ / "sys");
    Process(7, "5:pids:/\n0::/system.slice/cron.service\n", 10);
  }
  ~FindContainerTest() override { std::filesystem::remove_all(proc_); }

  void Process(int pid, const std::string& cgroups, int start) {
    const std::filesystem::path folder = proc_ / std::to_string(pid);
    std::filesystem::create_directory(folder);
    std::ofstream(folder / "cgroup") << cgroups;
    std::ofstream(folder / "stat")
        << pid << " (a ) b) S 1 1 1 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 " << start << " 1 1";
  }
  void InContainer(int pid, const std::string& id, int start) {
    Process(pid, "4:memory:/kubepods/" + kPod + "/" + id + "\n0::/\n", start);
  }

  std::filesystem::path proc_;
};

TEST_F(FindContainerTest, FindsTheProcessThatHasRunLongest) {
  InContainer(900, kContainer, 300);
  InContainer(31, kContainer, 500);
  const absl::StatusOr<ContainerProcess> found = FindContainer(proc_, "beef");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->pid, 900);
  EXPECT_EQ(found->container_id, kContainer);
}

TEST_F(FindContainerTest, FindsItInAScopeOfSystemd) {
  Process(900,
          "0::/kubepods.slice/kubepods-pod" + kPod + ".slice/bulkhead-" + kContainer + ".scope\n",
          300);
  const absl::StatusOr<ContainerProcess> found = FindContainer(proc_, "beef");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->container_id, kContainer);
  EXPECT_FALSE(FindContainer(proc_, "aaa").ok());
}

TEST_F(FindContainerTest, RefusesTheStartOfSeveralIds) {
  InContainer(900, kContainer, 300);
  InContainer(901, kOther, 300);
  EXPECT_EQ(FindContainer(proc_, "bee").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(FindContainer(proc_, kOther)->pid, 901);
}

TEST_F(FindContainerTest, DoesNotTakeAPodForItsContainer) {
  InContainer(900, kContainer, 300);
  EXPECT_EQ(FindContainer(proc_, kPod).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(FindContainerTest, RefusesWhatCannotBeAnId) {
  for (const std::string& id : {std::string(), std::string("nginx"), std::string(65, 'a')}) {
    EXPECT_EQ(FindContainer(proc_, id).status().code(), absl::StatusCode::kInvalidArgument) << id;
  }
}

}  // namespace
}  // namespace bulkhead::ctl
