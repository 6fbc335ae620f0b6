#include "runtime/supervisor/client_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <cerrno>

#include "runtime/kernel/status.h"
#include "runtime/supervisor/client.h"

namespace bulkhead::supervisor {

absl::StatusOr<std::unique_ptr<ClientLoop>> ClientLoop::Start() {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return ErrnoStatus(errno, "epoll_create1");
  UniqueFd wake(eventfd(0, EFD_CLOEXEC));
  if (!wake.valid()) return ErrnoStatus(errno, "eventfd");
  epoll_event event = {.events = EPOLLIN, .data = {.fd = wake.get()}};
  if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wake.get(), &event) != 0) {
    return ErrnoStatus(errno, "epoll_ctl");
  }
  std::unique_ptr<ClientLoop> loop(new ClientLoop(std::move(epoll), std::move(wake)));
  // A new thread inherits the signal mask; signals are for the daemon's other threads.
  loop->thread_ = std::thread([raw = loop.get()] { raw->Run(); });
  return loop;
}

ClientLoop::ClientLoop(UniqueFd epoll, UniqueFd wake)
    : epoll_(std::move(epoll)), wake_(std::move(wake)) {}

ClientLoop::~ClientLoop() {
  const uint64_t one = 1;
  // An eventfd at zero always takes one.
  [[maybe_unused]] const ssize_t n = write(wake_.get(), &one, sizeof(one));
  thread_.join();
}

absl::Status ClientLoop::Add(int fd, const std::shared_ptr<SupervisorClient>& client) {
  std::lock_guard lock(mutex_);
  epoll_event event = {.events = EPOLLIN, .data = {.fd = fd}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return ErrnoStatus(errno, "watch a supervisor's socket");
  }
  clients_[fd] = client;
  return absl::OkStatus();
}

absl::Status ClientLoop::SetInterest(int fd, bool write) {
  epoll_event event = {.events = EPOLLIN | (write ? EPOLLOUT : 0u), .data = {.fd = fd}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) != 0) {
    return ErrnoStatus(errno, "watch a supervisor's socket");
  }
  return absl::OkStatus();
}

void ClientLoop::Remove(int fd) {
  std::lock_guard lock(mutex_);
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  clients_.erase(fd);
}

void ClientLoop::Run() {
  while (true) {
    epoll_event events[32];
    const int n = epoll_wait(epoll_.get(), events, 32, -1);
    for (int i = 0; i < n; ++i) {
      if (events[i].data.fd == wake_.get()) return;
      OnReady(events[i].data.fd, events[i].events);
    }
  }
}

void ClientLoop::OnReady(int fd, uint32_t events) {
  std::shared_ptr<SupervisorClient> client;
  {
    std::lock_guard lock(mutex_);
    const auto found = clients_.find(fd);
    if (found != clients_.end()) client = found->second.lock();
  }
  // The descriptor may be another client's by now; that one's socket is then just not ready.
  if (client != nullptr && !client->OnReady(events)) Remove(fd);
}

}  // namespace bulkhead::supervisor
