#include "shim/network/cni_watcher.h"

#include <chrono>
#include <filesystem>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/network/temporary_directory.h"

namespace bulkhead::network {
namespace {

using ::testing::HasSubstr;

constexpr char kConfig[] = R"({"cniVersion": "1.0.0", "name": "n", "type": "bridge"})";

class CniWatcherTest : public ::testing::Test {
 protected:
  void Start() {
    auto watcher =
        CniWatcher::Start(directory_.path("etc/cni/net.d"), {directory_.path("opt/cni/bin")});
    ASSERT_TRUE(watcher.ok()) << watcher.status();
    watcher_ = *std::move(watcher);
  }

  // The problem once it contains the text, else the last one seen. An empty text means none.
  std::string Await(const std::string& text) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    std::string problem;
    do {
      problem = watcher_->Current()->problem;
      if (text.empty() ? problem.empty() : problem.find(text) != std::string::npos) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    } while (std::chrono::steady_clock::now() < deadline);
    return problem;
  }

  TemporaryDirectory directory_;
  std::unique_ptr<CniWatcher> watcher_;
};

TEST_F(CniWatcherTest, FindsWhatIsThereAtTheStart) {
  directory_.Write("etc/cni/net.d/10-a.conf", kConfig);
  directory_.Write("opt/cni/bin/bridge", "", 0755);
  Start();
  EXPECT_EQ(watcher_->Current()->problem, "");
}

TEST_F(CniWatcherTest, SeesAConfigurationInADirectoryThatDidNotExist) {
  directory_.Write("opt/cni/bin/bridge", "", 0755);
  Start();
  EXPECT_THAT(watcher_->Current()->problem, HasSubstr("no CNI configuration in "));
  directory_.Write("etc/cni/net.d/10-a.conf", kConfig);
  EXPECT_EQ(Await(""), "");
  EXPECT_EQ(watcher_->Current()->network->name, "n");
}

TEST_F(CniWatcherTest, SeesAPluginThatIsInstalledLater) {
  directory_.Write("etc/cni/net.d/10-a.conf", kConfig);
  Start();
  EXPECT_THAT(watcher_->Current()->problem, HasSubstr("is not installed"));
  directory_.Write("opt/cni/bin/bridge", "", 0755);
  EXPECT_EQ(Await(""), "");
}

TEST_F(CniWatcherTest, SeesAConfigurationThatIsRemovedOrBecomesInvalid) {
  directory_.Write("etc/cni/net.d/10-a.conf", kConfig);
  directory_.Write("opt/cni/bin/bridge", "", 0755);
  Start();
  directory_.Write("etc/cni/net.d/10-a.conf", "{}");
  EXPECT_THAT(Await("no valid"), HasSubstr("10-a.conf: name is missing"));
  std::filesystem::remove(directory_.path("etc/cni/net.d/10-a.conf"));
  EXPECT_THAT(Await("no CNI configuration"), HasSubstr("no CNI configuration in "));
}

TEST_F(CniWatcherTest, FollowsADirectoryThatIsRemovedAndMadeAgain) {
  directory_.Write("etc/cni/net.d/10-a.conf", kConfig);
  directory_.Write("opt/cni/bin/bridge", "", 0755);
  Start();
  for (int round = 0; round < 5; ++round) {
    std::filesystem::remove_all(directory_.path("etc"));
    EXPECT_THAT(Await("no CNI configuration"), HasSubstr("no CNI configuration in "));
    directory_.Write("etc/cni/net.d/10-a.conf", kConfig);
    EXPECT_EQ(Await(""), "");
  }
}

}  // namespace
}  // namespace bulkhead::network
