#include "runtime/kernel/process_lock.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "gtest/gtest.h"

namespace bulkhead {
namespace {

class LockForProcessTest : public ::testing::Test {
 protected:
  LockForProcessTest() {
    std::string name = ::testing::TempDir() + "bulkhead-lock-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
    EXPECT_EQ(pipe(pipe_), 0);
  }
  ~LockForProcessTest() override {
    close(pipe_[0]);
    close(pipe_[1]);
    std::filesystem::remove_all(root_);
  }

  std::string Path() const { return root_ / "lock"; }

  std::filesystem::path root_;
  int pipe_[2];
};

TEST_F(LockForProcessTest, IsNotHeldByAChildThatHasNotCalledExec) {
  const pid_t holder = fork();
  if (holder == 0) {
    const auto lock = LockForProcess(Path());
    if (!lock.ok() || !lock->fd.valid()) _exit(1);
    // It has a copy of the descriptor, and outlives the holder.
    if (fork() == 0) {
      char byte;
      close(pipe_[1]);
      _exit(read(pipe_[0], &byte, 1) == 0 ? 0 : 1);
    }
    _exit(0);
  }
  int status = -1;
  waitpid(holder, &status, 0);
  ASSERT_EQ(status, 0);
  const auto lock = LockForProcess(Path());
  ASSERT_TRUE(lock.ok()) << lock.status();
  EXPECT_TRUE(lock->fd.valid());
}

TEST_F(LockForProcessTest, NamesTheProcessThatHoldsIt) {
  const auto lock = LockForProcess(Path());
  ASSERT_TRUE(lock.ok() && lock->fd.valid());
  const pid_t other = fork();
  if (other == 0) {
    const auto refused = LockForProcess(Path());
    _exit(refused.ok() && !refused->fd.valid() && refused->holder == getppid() ? 0 : 1);
  }
  int status = -1;
  waitpid(other, &status, 0);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace bulkhead
