#include "runtime/supervisor/place_holder.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "runtime/supervisor/spawn.h"

namespace bulkhead::supervisor {
namespace {

UniqueFd PidfdOf(pid_t pid) { return UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0))); }

bool Ends(const UniqueFd& process) {
  pollfd polled{process.get(), POLLIN, 0};
  return poll(&polled, 1, 10'000) == 1;
}

bool Runs(const UniqueFd& process) {
  pollfd polled{process.get(), POLLIN, 0};
  return poll(&polled, 1, 0) == 0;
}

TEST(IdleProcess, RunsUntilItIsLetGoAndIsReaped) {
  auto image = SupervisorImage::Load(BULKHEAD_POD);
  ASSERT_TRUE(image.ok()) << image.status();
  auto holder = IdleProcess::Start(image->fd());
  ASSERT_TRUE(holder.ok()) << holder.status();
  const pid_t pid = (*holder)->pid();
  const UniqueFd process = PidfdOf(pid);
  EXPECT_TRUE(Runs(process));
  holder->reset();
  EXPECT_TRUE(Ends(process));
  EXPECT_EQ(waitpid(pid, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST(IdleProcess, EndsWithACallerThatIsKilled) {
  auto image = SupervisorImage::Load(BULKHEAD_POD);
  ASSERT_TRUE(image.ok()) << image.status();
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t caller = fork();
  if (caller == 0) {
    auto holder = IdleProcess::Start(image->fd());
    const pid_t pid = holder.ok() ? (*holder)->pid() : 0;
    if (write(ends[1], &pid, sizeof(pid)) != sizeof(pid)) _exit(1);
    for (;;) pause();
  }
  pid_t pid = 0;
  ASSERT_EQ(read(ends[0], &pid, sizeof(pid)), static_cast<ssize_t>(sizeof(pid)));
  ASSERT_GT(pid, 0);
  const UniqueFd process = PidfdOf(pid);
  ASSERT_TRUE(Runs(process));
  ASSERT_EQ(kill(caller, SIGKILL), 0);
  ASSERT_EQ(waitpid(caller, nullptr, 0), caller);
  EXPECT_TRUE(Ends(process));
}

}  // namespace
}  // namespace bulkhead::supervisor
