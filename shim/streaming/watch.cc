#include "shim/streaming/watch.h"

#include <algorithm>
#include <utility>

namespace bulkhead::streaming {
namespace {

constexpr std::chrono::seconds kLookWhilePaused{1};

}  // namespace

void Watch::Start(std::weak_ptr<void> owner, std::function<bool()> client_left,
                  std::function<void()> over) {
  owner_ = std::move(owner);
  client_left_ = std::move(client_left);
  over_ = std::move(over);
  stopped_ = false;
  Moved();
  Wait();
}

void Watch::SetPaused(bool paused) {
  if (paused == paused_) return;
  paused_ = paused;
  if (paused_) Wait();
}

void Watch::EndAfter(std::chrono::milliseconds time, std::function<size_t()> unsent) {
  linger_ = time;
  unsent_ = std::move(unsent);
  left_ = unsent_();
  end_ = Clock::now() + linger_;
  Wait();
}

bool Watch::TakesWhatWasSent() {
  const size_t left = unsent_();
  if (left >= left_) return false;
  left_ = left;
  end_ = Clock::now() + linger_;
  return true;
}

void Watch::Stop() {
  stopped_ = true;
  timer_.cancel();
}

void Watch::Wait() {
  if (stopped_) return;
  Clock::time_point until = std::min(last_move_ + idle_timeout_, end_);
  if (paused_) until = std::min(until, Clock::now() + kLookWhilePaused);
  timer_.expires_at(until);  // Cancels an earlier wait.
  timer_.async_wait([this, keep = owner_.lock()](error_code error) {
    if (!error) Look();
  });
}

void Watch::Look() {
  if (stopped_) return;
  const Clock::time_point now = Clock::now();
  if ((now >= end_ && !TakesWhatWasSent()) || now >= last_move_ + idle_timeout_ ||
      (paused_ && client_left_())) {
    stopped_ = true;
    over_();
  } else {
    Wait();
  }
}

}  // namespace bulkhead::streaming
