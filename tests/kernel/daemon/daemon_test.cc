// The daemon as a process: how it starts, is signalled and stops. What it serves is conformance's.
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <memory>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/kernel/fd.h"
#include "tests/conformance/fixture/child.h"
#include "tests/conformance/fixture/files.h"

namespace bulkhead::daemon {
namespace {

using fixture::Child;
using ::testing::HasSubstr;

constexpr std::chrono::seconds kPatience(20);

// The socket on which a service manager is told.
class NotifySocket {
 public:
  explicit NotifySocket(const std::string& path)
      : fd_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    const timeval patience = {.tv_sec = kPatience.count()};
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setenv("NOTIFY_SOCKET", path.c_str(), 1);
  }

  // The next message, empty when none comes.
  std::string Next() {
    std::array<char, 256> text;
    const ssize_t size = recv(fd_.get(), text.data(), text.size(), 0);
    return size > 0 ? std::string(text.data(), static_cast<size_t>(size)) : "";
  }

 private:
  UniqueFd fd_;
};

class DaemonTest : public ::testing::Test {
 protected:
  DaemonTest() : notify_(folder_.path() / "notify.sock") {
    const std::string root = folder_.path();
    const std::string name = folder_.path().filename();
    fixture::WriteFile(config_, "[daemon]\nsocket = \"" + root + "/b.sock\"\nstate_dir = \"" +
                                    root + "/state\"\ndata_dir = \"" + root +
                                    "/data\"\nsupervisor = \"" BULKHEAD_SUPERVISOR
                                    "\"\n[cgroup]\nsupervisors = \"" +
                                    name + "\"\n[cni]\nconfig_dir = \"" + root +
                                    "/net.d\"\nnetns_dir = \"" + root + "/netns\"\n");
  }

  std::unique_ptr<Child> Start(const std::string& log = "log") {
    return std::make_unique<Child>(std::vector<std::string>{BULKHEAD_DAEMON, "--config", config_},
                                   folder_.path() / log);
  }
  std::string Log(const std::string& log = "log") {
    return fixture::ReadFile(folder_.path() / log);
  }
  // The log once it has the text.
  std::string AwaitLog(const std::string& text) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (Log().find(text) == std::string::npos && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return Log();
  }
  // Its exit status; -1 when it does not end or was killed.
  static int ExitOf(Child& daemon) {
    const std::optional<int> status = daemon.Wait(kPatience);
    return status && WIFEXITED(*status) ? WEXITSTATUS(*status) : -1;
  }

  fixture::ScratchDir folder_;
  const std::string config_ = folder_.path() / "config.toml";
  NotifySocket notify_;
};

TEST_F(DaemonTest, TellsTheServiceManagerWhenItServesAndWhenItStops) {
  const std::unique_ptr<Child> daemon = Start();
  ASSERT_EQ(notify_.Next(), "READY=1") << Log();
  EXPECT_TRUE(std::filesystem::is_socket(folder_.path() / "b.sock"));
  daemon->Signal(SIGTERM);
  EXPECT_EQ(notify_.Next(), "STOPPING=1");
  EXPECT_EQ(ExitOf(*daemon), 0) << Log();
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "b.sock"));
}

TEST_F(DaemonTest, StartsAgainAfterItWasKilled) {
  const std::unique_ptr<Child> daemon = Start();
  ASSERT_EQ(notify_.Next(), "READY=1") << Log();
  daemon->Signal(SIGKILL);
  EXPECT_EQ(ExitOf(*daemon), -1);
  const std::unique_ptr<Child> next = Start();
  EXPECT_EQ(notify_.Next(), "READY=1") << Log();
}

TEST_F(DaemonTest, IsRefusedTheDirectoriesOfARunningDaemon) {
  const std::unique_ptr<Child> daemon = Start();
  ASSERT_EQ(notify_.Next(), "READY=1") << Log();
  const std::unique_ptr<Child> second = Start("second");
  EXPECT_EQ(ExitOf(*second), 1);
  EXPECT_THAT(Log("second"),
              HasSubstr("is in use by another daemon, process " + std::to_string(daemon->pid())));
  EXPECT_TRUE(std::filesystem::is_socket(folder_.path() / "b.sock"));
}

TEST_F(DaemonTest, NamesFileLineAndKeyOfABadConfiguration) {
  fixture::WriteFile(config_, "[daemon]\nsokcet = \"/x\"\n");
  const std::unique_ptr<Child> daemon = Start();
  EXPECT_EQ(ExitOf(*daemon), 1);
  EXPECT_THAT(Log(), HasSubstr(config_ + ":2: unknown key daemon.sokcet; did you mean"));
}

TEST_F(DaemonTest, ChangesItsVerbosityBySignalsAndTheOperatorsTool) {
  const std::unique_ptr<Child> daemon = Start();
  ASSERT_EQ(notify_.Next(), "READY=1") << Log();
  fixture::RunCommand({BULKHEAD_CTL, "--config", config_, "log-verbosity", "7"});
  EXPECT_THAT(AwaitLog("verbosity=7"), HasSubstr("log verbosity changed verbosity=7"));
  daemon->Signal(SIGUSR1);
  EXPECT_THAT(AwaitLog("verbosity=8"), HasSubstr("verbosity=8"));
  daemon->Signal(SIGUSR2);
  daemon->Signal(SIGHUP);
  EXPECT_THAT(AwaitLog("SIGHUP"), HasSubstr("restart the daemon"));
  EXPECT_THAT(AwaitLog("verbosity=7\n"), HasSubstr("verbosity=7\n"));
  daemon->Signal(SIGTERM);
  EXPECT_EQ(ExitOf(*daemon), 0);
}

TEST_F(DaemonTest, MayOpenAsManyDescriptorsAsTheHardLimitAllows) {
  const std::unique_ptr<Child> daemon = Start();
  ASSERT_EQ(notify_.Next(), "READY=1") << Log();
  const std::string limits =
      fixture::ReadFile("/proc/" + std::to_string(daemon->pid()) + "/limits");
  std::smatch match;
  ASSERT_TRUE(std::regex_search(limits, match, std::regex("Max open files +(\\d+) +(\\d+)")));
  EXPECT_EQ(match[1], match[2]);
}

}  // namespace
}  // namespace bulkhead::daemon
