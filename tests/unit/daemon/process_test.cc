#include "shim/daemon/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "gtest/gtest.h"

namespace bulkhead::daemon {
namespace {

// Each runs in a process of its own, which ends with 0 when all was as it should be.

TEST(PrepareProcess, LeavesNoStandardStreamClosed) {
  EXPECT_EXIT(
      {
        close(STDIN_FILENO);
        close(STDOUT_FILENO);
        const bool ok = PrepareProcess().ok();
        const int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
        std::_Exit(ok && next > STDERR_FILENO && fcntl(STDOUT_FILENO, F_GETFD) == 0 ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST(PrepareProcess, MakesTheProcessUndumpableAndSurviveAHangUp) {
  EXPECT_EXIT(
      {
        const bool ok = PrepareProcess().ok() && prctl(PR_GET_DUMPABLE) == 0;
        raise(SIGPIPE);
        std::_Exit(ok ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

TEST(RaiseDescriptorLimit, RaisesTheSoftLimitToTheHardOne) {
  EXPECT_EXIT(
      {
        rlimit low{};
        getrlimit(RLIMIT_NOFILE, &low);
        low.rlim_cur = 64;
        setrlimit(RLIMIT_NOFILE, &low);
        const bool ok = RaiseDescriptorLimit().ok();
        rlimit now{};
        getrlimit(RLIMIT_NOFILE, &now);
        std::_Exit(ok && now.rlim_cur == low.rlim_max ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace bulkhead::daemon
