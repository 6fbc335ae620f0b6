#ifndef BULKHEAD_RUNTIME_SUPERVISOR_EVENT_LOOP_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_EVENT_LOOP_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::supervisor {

// The supervisor's main loop: descriptors and timers. For one thread.
class EventLoop {
 public:
  using Clock = std::chrono::steady_clock;
  using ReadyHandler = std::function<void(uint32_t events)>;

  static absl::StatusOr<std::unique_ptr<EventLoop>> Create();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Calls `handler` while any of `events` (EPOLLIN ...) holds, until Forget. The descriptor
  // stays the caller's and must outlive its watching.
  absl::Status Watch(int fd, uint32_t events, ReadyHandler handler);
  absl::Status Change(int fd, uint32_t events);
  // Allowed inside of any handler. Unknown and negative descriptors are ignored.
  void Forget(int fd);

  // Calls `handler` once; the number is for Cancel, which ignores those that are over.
  uint64_t After(Clock::duration delay, std::function<void()> handler);
  void Cancel(uint64_t timer);

  // Until Stop is called.
  void Run();
  void Stop() { stopped_ = true; }

 private:
  struct Watched {
    uint32_t generation;
    std::shared_ptr<ReadyHandler> handler;
  };
  struct Timer {
    Clock::time_point due;
    std::function<void()> handler;
  };

  explicit EventLoop(UniqueFd epoll) : epoll_(std::move(epoll)) {}
  int NextTimeout() const;
  void RunTimers();
  void Handle(uint64_t token, uint32_t events);

  UniqueFd epoll_;
  // A descriptor's number can be another's within one round; the generation tells them apart.
  uint32_t last_generation_ = 0;
  std::map<int, Watched> watched_;
  uint64_t last_timer_ = 0;
  std::map<uint64_t, Timer> timers_;  // a handful
  bool stopped_ = false;
};

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_EVENT_LOOP_H_
