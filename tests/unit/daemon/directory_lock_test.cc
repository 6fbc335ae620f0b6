#include "shim/daemon/directory_lock.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bulkhead::daemon {
namespace {

using ::testing::HasSubstr;

class DirectoryLockTest : public ::testing::Test {
 protected:
  DirectoryLockTest() {
    std::string name = ::testing::TempDir() + "bulkhead-lock-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  ~DirectoryLockTest() override { std::filesystem::remove_all(root_); }

  std::filesystem::path root_;
};

TEST_F(DirectoryLockTest, IsHeldByOneProcessAtATime) {
  const std::string refusal = "in use by another daemon, process " + std::to_string(getpid());
  const auto take_in_child = [&] {
    const pid_t child = fork();
    if (child == 0) {
      const absl::Status status = DirectoryLock::Take(root_).status();
      const bool refused = absl::IsFailedPrecondition(status) &&
                           status.message().find(refusal) != absl::string_view::npos;
      _exit(status.ok() ? 0 : refused ? 1 : 2);
    }
    int status = -1;
    waitpid(child, &status, 0);
    return WEXITSTATUS(status);
  };
  {
    const absl::StatusOr<DirectoryLock> first = DirectoryLock::Take(root_);
    ASSERT_TRUE(first.ok()) << first.status();
    EXPECT_EQ(take_in_child(), 1);
  }
  EXPECT_EQ(take_in_child(), 0);
}

TEST_F(DirectoryLockTest, MakesADirectoryThatOthersCannotList) {
  const std::string directory = root_ / "a/b";
  ASSERT_TRUE(DirectoryLock::Take(directory).ok());
  struct stat status;
  ASSERT_EQ(stat(directory.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0711u);
}

TEST_F(DirectoryLockTest, NamesTheDirectoryThatCannotBeMade) {
  ASSERT_TRUE(DirectoryLock::Take(root_).ok());
  const std::string below_a_file = root_ / "lock/x";
  EXPECT_THAT(std::string(DirectoryLock::Take(below_a_file).status().message()),
              HasSubstr(below_a_file));
}

}  // namespace
}  // namespace bulkhead::daemon
