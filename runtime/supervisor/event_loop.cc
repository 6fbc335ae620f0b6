#include "runtime/supervisor/event_loop.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>

#include "runtime/kernel/status.h"

namespace bulkhead::supervisor {
namespace {

uint64_t Token(int fd, uint32_t generation) {
  return static_cast<uint64_t>(generation) << 32 | static_cast<uint32_t>(fd);
}

}  // namespace

absl::StatusOr<std::unique_ptr<EventLoop>> EventLoop::Create() {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return ErrnoStatus(errno, "epoll_create1");
  return std::unique_ptr<EventLoop>(new EventLoop(std::move(epoll)));
}

absl::Status EventLoop::Watch(int fd, uint32_t events, ReadyHandler handler) {
  const uint32_t generation = ++last_generation_;
  epoll_event event = {.events = events, .data = {.u64 = Token(fd, generation)}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return ErrnoStatus(errno, "watch a descriptor");
  }
  watched_[fd] = {generation, std::make_shared<ReadyHandler>(std::move(handler))};
  return absl::OkStatus();
}

absl::Status EventLoop::Change(int fd, uint32_t events) {
  const auto found = watched_.find(fd);
  if (found == watched_.end()) return absl::NotFoundError("the descriptor is not watched");
  epoll_event event = {.events = events, .data = {.u64 = Token(fd, found->second.generation)}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) != 0) {
    return ErrnoStatus(errno, "watch a descriptor");
  }
  return absl::OkStatus();
}

void EventLoop::Forget(int fd) {
  if (watched_.erase(fd) > 0) epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

uint64_t EventLoop::After(Clock::duration delay, std::function<void()> handler) {
  timers_[++last_timer_] = {Clock::now() + delay, std::move(handler)};
  return last_timer_;
}

void EventLoop::Cancel(uint64_t timer) { timers_.erase(timer); }

void EventLoop::Run() {
  while (!stopped_) {
    epoll_event events[32];
    const int n = epoll_wait(epoll_.get(), events, 32, NextTimeout());
    for (int i = 0; i < n && !stopped_; ++i) Handle(events[i].data.u64, events[i].events);
    RunTimers();
  }
}

int EventLoop::NextTimeout() const {
  if (timers_.empty()) return -1;
  const auto first =
      std::min_element(timers_.begin(), timers_.end(),
                       [](const auto& a, const auto& b) { return a.second.due < b.second.due; });
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(first->second.due - Clock::now()).count();
  return static_cast<int>(std::max<int64_t>(left, 0));
}

void EventLoop::RunTimers() {
  const auto now = Clock::now();
  for (auto it = timers_.begin(); it != timers_.end() && !stopped_;) {
    if (it->second.due > now) {
      ++it;
      continue;
    }
    const uint64_t number = it->first;
    const auto handler = std::move(it->second.handler);
    timers_.erase(it);
    handler();
    // The handler may have changed the timers.
    it = timers_.upper_bound(number);
  }
}

void EventLoop::Handle(uint64_t token, uint32_t events) {
  const auto found = watched_.find(static_cast<int>(token & 0xffffffff));
  if (found == watched_.end() || found->second.generation != token >> 32) return;
  // The handler may forget itself while it runs.
  const std::shared_ptr<ReadyHandler> handler = found->second.handler;
  (*handler)(events);
}

}  // namespace bulkhead::supervisor
