#include "shim/network/leftover_plugins.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::network {
namespace {

// A plugin, as a shell that has started another program; both hold the pipe.
class Plugin {
 public:
  explicit Plugin(const std::string& pod_id) {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    alive_.reset(ends[0]);
    const UniqueFd write(ends[1]);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, write.get(), STDOUT_FILENO);
    std::string script = "sleep 1000 & echo started; wait";
    std::string environment = absl::StrCat("CNI_CONTAINERID=", pod_id);
    std::string shell = "sh", option = "-c", path = "PATH=/usr/bin:/bin";
    char* const arguments[] = {shell.data(), option.data(), script.data(), nullptr};
    char* const variables[] = {path.data(), environment.data(), nullptr};
    EXPECT_EQ(posix_spawn(&pid_, "/bin/sh", &actions, nullptr, arguments, variables), 0);
    posix_spawn_file_actions_destroy(&actions);
    char started[8];
    EXPECT_EQ(read(alive_.get(), started, sizeof(started)), 8);
  }
  ~Plugin() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Plugin(const Plugin&) = delete;
  Plugin& operator=(const Plugin&) = delete;

  // Whether the shell or what it started runs.
  bool IsAlive() const {
    pollfd end{alive_.get(), POLLIN, 0};
    return poll(&end, 1, 0) == 0;
  }

 private:
  UniqueFd alive_;
  pid_t pid_ = 0;
};

TEST(EndLeftoverPlugins, EndsThoseOfThePodsWithWhatTheyStartedAndNoOthers) {
  const std::string pods[] = {absl::StrCat("a-", getpid()), absl::StrCat("b-", getpid())};
  const Plugin first(pods[0]), second(pods[0]), other(pods[1]);
  EndLeftoverPlugins({"none", pods[0]});
  EXPECT_FALSE(first.IsAlive());
  EXPECT_FALSE(second.IsAlive());
  EXPECT_TRUE(other.IsAlive());
  EndLeftoverPlugins({});
  EXPECT_TRUE(other.IsAlive());
  EndLeftoverPlugins({pods[1]});
  EXPECT_FALSE(other.IsAlive());
}

}  // namespace
}  // namespace bulkhead::network
