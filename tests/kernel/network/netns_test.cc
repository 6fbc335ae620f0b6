#include "shim/network/netns.h"

#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/kernel/network/host.h"

namespace bulkhead::network {
namespace {

using ::testing::HasSubstr;

class NetnsTest : public HostTest {
 protected:
  absl::StatusOr<PinnedNetns> Create(const std::string& name) {
    return PinnedNetns::Create(path("netns"), name);
  }
};

TEST_F(NetnsTest, HasItsLoopbackInterfaceUp) {
  absl::StatusOr<PinnedNetns> netns = Create("a");
  ASSERT_TRUE(netns.ok()) << netns.status();
  InNetns(netns->path(), [] {
    const Greeter greeter(80, "hello");
    EXPECT_EQ(Dial("127.0.0.1", 80), "hello");
    EXPECT_EQ(Dial("::1", 80), "hello");
  });
}

TEST_F(NetnsTest, IsAnotherNamespaceThanTheCallersWhichStaysAsItIs) {
  const auto mine = std::filesystem::read_symlink("/proc/thread-self/ns/net");
  absl::StatusOr<PinnedNetns> netns = Create("a");
  ASSERT_TRUE(netns.ok()) << netns.status();
  EXPECT_EQ(std::filesystem::read_symlink("/proc/thread-self/ns/net"), mine);
  InNetns(netns->path(),
          [&] { EXPECT_NE(std::filesystem::read_symlink("/proc/thread-self/ns/net"), mine); });
}

TEST_F(NetnsTest, IsOneMountAndNoOther) {
  const std::string before = Shell("cat /proc/self/mounts");
  absl::StatusOr<PinnedNetns> netns = Create("a");
  ASSERT_TRUE(netns.ok()) << netns.status();
  std::string after = Shell("cat /proc/self/mounts");
  ASSERT_EQ(after.substr(0, before.size()), before);
  after = after.substr(before.size());
  EXPECT_THAT(after, HasSubstr("nsfs " + netns->path() + " nsfs"));
  EXPECT_EQ(std::count(after.begin(), after.end(), '\n'), 1);
}

TEST_F(NetnsTest, IsTakenAwayWhenItWasNotKept) {
  std::filesystem::create_directories(path("netns"));
  const std::string before = Snapshot();
  { ASSERT_TRUE(Create("a").ok()); }
  EXPECT_EQ(Snapshot(), before);
}

TEST_F(NetnsTest, StaysWhenItWasKeptUntilItIsRemovedAndRemovingIsRepeatable) {
  std::filesystem::create_directories(path("netns"));
  const std::string before = Snapshot();
  const std::string kept = Create("a")->Keep();
  EXPECT_EQ(kept, path("netns/a"));
  EXPECT_TRUE(OpenNetns(kept).ok());
  EXPECT_TRUE(RemoveNetns(kept).ok());
  EXPECT_TRUE(RemoveNetns(kept).ok());
  EXPECT_EQ(Snapshot(), before);
}

TEST_F(NetnsTest, IsRemovedWhileAProcessHoldsIt) {
  const std::string kept = Create("a")->Keep();
  const absl::StatusOr<UniqueFd> held = OpenNetns(kept);
  ASSERT_TRUE(held.ok()) << held.status();
  EXPECT_TRUE(RemoveNetns(kept).ok());
  EXPECT_FALSE(std::filesystem::exists(kept));
}

TEST_F(NetnsTest, IsNotMadeOverAnExistingFileWhichStays) {
  Write("netns/a", "someone's");
  EXPECT_TRUE(absl::IsAlreadyExists(Create("a").status()));
  EXPECT_EQ(Read("netns/a"), "someone's");
}

TEST_F(NetnsTest, LeavesNoFileWhenItCannotBePinned) {
  Write("netns/.keep", "");
  // A directory that cannot be mounted in stands for every failure after the file was made.
  std::thread([&] {
    ASSERT_EQ(unshare(CLONE_FS | CLONE_NEWNS), 0);
    ASSERT_EQ(mount("proc", "/proc", "tmpfs", 0, nullptr), 0);  // No /proc/thread-self there.
    const absl::Status status = Create("a").status();
    EXPECT_THAT(std::string(status.message()), HasSubstr("bind the network namespace to "));
  }).join();
  EXPECT_FALSE(std::filesystem::exists(path("netns/a")));
}

TEST_F(NetnsTest, RefusesANameThatIsAPath) {
  for (const char* name : {"", ".", "..", "a/b", "../a"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Create(name).status())) << name;
  }
}

TEST_F(NetnsTest, IsMadeByManyThreadsAtOnce) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&, i] {
      const absl::StatusOr<PinnedNetns> netns = Create("n" + std::to_string(i));
      EXPECT_TRUE(netns.ok()) << netns.status();
      EXPECT_TRUE(OpenNetns(netns->path()).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(std::filesystem::is_empty(path("netns")));
}

TEST_F(NetnsTest, IsNotWhatAnOrdinaryFileOrAnotherNamespaceIs) {
  Write("netns/a", "");
  EXPECT_TRUE(absl::IsFailedPrecondition(OpenNetns(path("netns/a")).status()));
  ASSERT_EQ(mount("/proc/self/ns/uts", path("netns/a").c_str(), nullptr, MS_BIND, nullptr), 0);
  EXPECT_TRUE(absl::IsFailedPrecondition(OpenNetns(path("netns/a")).status()));
  EXPECT_TRUE(absl::IsNotFound(OpenNetns(path("netns/b")).status()));
  EXPECT_TRUE(RemoveNetns(path("netns/a")).ok());
}

}  // namespace
}  // namespace bulkhead::network
