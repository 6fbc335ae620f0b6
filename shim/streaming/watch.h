#ifndef BULKHEAD_SHIM_STREAMING_WATCH_H_
#define BULKHEAD_SHIM_STREAMING_WATCH_H_

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <memory>

#include "shim/streaming/socket.h"

namespace bulkhead::streaming {

// Finds connections that are over though no read or write says so: nothing moved for too long, or
// the client left while nothing is read from it because what it sent is not consumed.
class Watch {
 public:
  Watch(asio::any_io_executor executor, std::chrono::milliseconds idle_timeout)
      : timer_(std::move(executor)), idle_timeout_(idle_timeout) {}

  // `over` is called at most once; `client_left` is asked each second while reading is paused.
  void Start(std::weak_ptr<void> owner, std::function<bool()> client_left,
             std::function<void()> over);
  void Moved() { last_move_ = Clock::now(); }
  void SetPaused(bool paused);
  // All is sent: from now on `over` is called once the client took nothing for this time, whatever
  // else moves. `unsent` is what the kernel still has for it.
  void EndAfter(std::chrono::milliseconds time, std::function<size_t()> unsent);
  void Stop();

 private:
  using Clock = std::chrono::steady_clock;
  void Wait();
  void Look();
  bool TakesWhatWasSent();

  asio::steady_timer timer_;
  const std::chrono::milliseconds idle_timeout_;
  std::weak_ptr<void> owner_;
  std::function<bool()> client_left_;
  std::function<void()> over_;
  Clock::time_point last_move_ = Clock::now();
  Clock::time_point end_ = Clock::time_point::max();
  std::chrono::milliseconds linger_{};
  std::function<size_t()> unsent_;
  size_t left_ = 0;
  bool paused_ = false;
  bool stopped_ = true;
};

}  // namespace bulkhead::streaming

#endif  // BULKHEAD_SHIM_STREAMING_WATCH_H_
