#include "shim/image/shared_pulls.h"

#include <atomic>
#include <semaphore>
#include <thread>

#include "gtest/gtest.h"

namespace bulkhead::image {
namespace {

// A pull that lasts until it is released or stopped.
class SharedPullsTest : public testing::Test {
 protected:
  absl::StatusOr<Image> Join(const std::string& reference, const Auth& auth,
                             std::stop_token stop = {}) {
    return pulls_.Join(reference, auth, {.stop = stop}, [this](std::stop_token stopped) {
      ++begun_;
      started_.release();
      std::unique_lock lock(mutex_);
      released_.wait(lock, stopped, [this] { return release_; });
      return release_ ? absl::StatusOr<Image>(Image{.id = "done"})
                      : absl::CancelledError("stopped");
    });
  }

  void Release() {
    const std::lock_guard lock(mutex_);
    release_ = true;
    released_.notify_all();
  }

  // A token whose owner has given up already: its call joins, and leaves at once.
  static std::stop_token GivenUp() {
    std::stop_source source;
    source.request_stop();
    return source.get_token();
  }

  SharedPulls pulls_;
  std::atomic<int> begun_ = 0;
  std::counting_semaphore<> started_{0};
  std::mutex mutex_;
  std::condition_variable_any released_;
  bool release_ = false;
};

TEST_F(SharedPullsTest, JoinEqualOnesAndOutliveAnImpatientCaller) {
  std::jthread first([this] {
    const auto image = Join("a", {.username = "jane"});
    EXPECT_EQ(image->id, "done");
  });
  started_.acquire();
  EXPECT_TRUE(absl::IsCancelled(Join("a", {.username = "jane"}, GivenUp()).status()));
  EXPECT_EQ(begun_, 1);
  Release();
}

TEST_F(SharedPullsTest, DoNotJoinOtherReferencesOrCredentials) {
  std::jthread first([this] { EXPECT_TRUE(Join("a", {.username = "jane"}).ok()); });
  started_.acquire();
  EXPECT_TRUE(absl::IsCancelled(Join("b", {.username = "jane"}, GivenUp()).status()));
  EXPECT_TRUE(absl::IsCancelled(Join("a", {.username = "joe"}, GivenUp()).status()));
  EXPECT_TRUE(absl::IsCancelled(Join("a", {}, GivenUp()).status()));
  EXPECT_EQ(begun_, 4);
  Release();
}

TEST_F(SharedPullsTest, StopTheWorkWhenTheLastCallerGivesUp) {
  std::stop_source stop;
  std::jthread only(
      [&] { EXPECT_TRUE(absl::IsCancelled(Join("a", {}, stop.get_token()).status())); });
  started_.acquire();
  stop.request_stop();
  only.join();
  // A later caller starts anew.
  Release();
  EXPECT_TRUE(Join("a", {}).ok());
  EXPECT_EQ(begun_, 2);
}

}  // namespace
}  // namespace bulkhead::image
