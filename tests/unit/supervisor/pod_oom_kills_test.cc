#include "runtime/supervisor/pod_oom_kills.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace bulkhead::supervisor {
namespace {

constexpr std::nullopt_t kGone = std::nullopt;

// A memory.events of the test's own.
class PodOomKillsTest : public ::testing::Test {
 protected:
  PodOomKillsTest() : file_(memfd_create("memory.events", MFD_CLOEXEC)) {}
  void Set(int kills) {
    const std::string text = absl::StrCat("low 0\nhigh 0\nmax 9\noom 5\noom_kill ", kills, "\n");
    ASSERT_EQ(ftruncate(file_.get(), 0), 0);
    ASSERT_EQ(pwrite(file_.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  }
  UniqueFd File() { return UniqueFd(dup(file_.get())); }

  UniqueFd file_;
  PodOomKills kills_;
};

TEST_F(PodOomKillsTest, AContainersOwnCounterIsBelieved) {
  Set(0);
  kills_.Begin(File(), 0);
  Set(3);
  EXPECT_EQ(kills_.OnEnd(3, 0), 3u);
  EXPECT_EQ(kills_.OnEnd(0, 0), 0u);
}

TEST_F(PodOomKillsTest, WhoseCounterIsGoneHasWhatNobodyElseHas) {
  Set(0);
  kills_.Begin(File(), 0);
  Set(4);
  EXPECT_EQ(kills_.OnEnd(1, 2), 1u);
  EXPECT_EQ(kills_.OnEnd(kGone, 2), 1u);
  // Told already.
  EXPECT_EQ(kills_.OnEnd(kGone, 2), 0u);
}

TEST_F(PodOomKillsTest, KillsOfAnEarlierSandboxAreNobodys) {
  Set(7);
  kills_.Begin(File(), 0);
  EXPECT_EQ(kills_.OnEnd(kGone, 0), 0u);
  Set(8);
  kills_.Begin(File(), 0);
  EXPECT_EQ(kills_.OnEnd(kGone, 0), 1u);
}

TEST_F(PodOomKillsTest, ContainersOfAnOlderSupervisorCount) {
  Set(5);
  kills_.Begin(File(), 2);
  EXPECT_EQ(kills_.OnEnd(2, 0), 2u);
  EXPECT_EQ(kills_.OnEnd(kGone, 0), 0u);
}

TEST_F(PodOomKillsTest, WithoutACounterNothingIsTold) {
  kills_.Begin(UniqueFd(), 0);
  EXPECT_EQ(kills_.OnEnd(kGone, 0), 0u);
  EXPECT_EQ(kills_.OnEnd(2, 0), 2u);
}

TEST_F(PodOomKillsTest, IsTheSameAfterAReexec) {
  Set(1);
  kills_.Begin(File(), 0);
  Set(3);
  EXPECT_EQ(kills_.OnEnd(1, 0), 1u);
  PodOomKills next;
  next.Restore(UniqueFd(dup(kills_.events())), kills_.told());
  EXPECT_EQ(next.OnEnd(kGone, 0), 1u);
}

}  // namespace
}  // namespace bulkhead::supervisor
