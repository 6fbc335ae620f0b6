#include "shim/pods/exec_leaves.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <system_error>
#include <utility>

namespace bulkhead::pods {
namespace {

// How many of those without events are looked at with each release.
constexpr size_t kSome = 16;
// A cgroup is told to be empty before its last process let it go; nothing tells of that.
constexpr int kAgainMilliseconds = 1;

}  // namespace

ExecLeaves::~ExecLeaves() {
  if (!thread_.joinable()) return;
  eventfd_write(stop_.get(), 1);
  thread_.join();
}

void ExecLeaves::Release(const std::string& leaf) {
  RemoveSome();
  if (Remove(leaf) || Watch(leaf)) return;
  const std::lock_guard lock(mutex_);
  unwatched_.push_back(leaf);
}

bool ExecLeaves::Remove(const std::string& leaf) {
  const absl::StatusOr<bool> removed = host_->RemoveExecLeaf(leaf);
  // What cannot be removed for another reason goes with the container's cgroup.
  return !removed.ok() || *removed;
}

void ExecLeaves::RemoveSome() {
  for (size_t i = 0; i < kSome; ++i) {
    std::string leaf;
    {
      const std::lock_guard lock(mutex_);
      if (unwatched_.empty()) return;
      leaf = std::move(unwatched_.front());
      unwatched_.pop_front();
    }
    if (Remove(leaf)) continue;
    const std::lock_guard lock(mutex_);
    unwatched_.push_back(std::move(leaf));
  }
}

bool ExecLeaves::Watch(const std::string& leaf) {
  const std::string events = host_->ExecLeafEvents(leaf);
  if (events.empty()) return false;
  const std::lock_guard lock(mutex_);
  if (!StartThread()) return false;
  const int watch = inotify_add_watch(inotify_.get(), events.c_str(), IN_MODIFY);
  // ENOSPC, beyond max_user_watches; or it is gone, which the next try finds out.
  if (watch < 0) return false;
  watched_[watch] = leaf;
  // It may have become empty before it was watched.
  if (Remove(leaf)) {
    inotify_rm_watch(inotify_.get(), watch);
    watched_.erase(watch);
  }
  return true;
}

bool ExecLeaves::StartThread() {
  if (thread_.joinable()) return true;
  inotify_.reset(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  stop_.reset(eventfd(0, EFD_CLOEXEC));
  if (!inotify_.valid() || !stop_.valid()) return false;
  try {
    thread_ = std::thread([this] { Run(); });
  } catch (const std::system_error&) {
    return false;
  }
  return true;
}

void ExecLeaves::Run() {
  std::array<pollfd, 2> fds{{{stop_.get(), POLLIN, 0}, {inotify_.get(), POLLIN, 0}}};
  while (true) {
    poll(fds.data(), fds.size(), again_.empty() ? -1 : kAgainMilliseconds);
    if (fds[0].revents != 0) return;
    const std::lock_guard lock(mutex_);
    for (const int watch : std::exchange(again_, {})) {
      if (const auto found = watched_.find(watch); found != watched_.end()) LookAt(found);
    }
    ReadEvents();
  }
}

void ExecLeaves::ReadEvents() {
  alignas(inotify_event) std::array<char, 4096> buffer;
  const ssize_t size = read(inotify_.get(), buffer.data(), buffer.size());
  for (ssize_t at = 0; at < size;) {
    inotify_event event;
    memcpy(&event, buffer.data() + at, sizeof(event));
    at += static_cast<ssize_t>(sizeof(event) + event.len);
    if ((event.mask & IN_Q_OVERFLOW) != 0) {
      for (const auto& [watch, leaf] : watched_) again_.insert(watch);
    } else if (const auto found = watched_.find(event.wd); found != watched_.end()) {
      LookAt(found);
    }
  }
}

void ExecLeaves::LookAt(std::map<int, std::string>::iterator watched) {
  if (!Remove(watched->second)) {
    const absl::StatusOr<bool> empty = host_->CgroupIsEmpty(watched->second);
    if (empty.ok() && *empty) again_.insert(watched->first);
    return;
  }
  inotify_rm_watch(inotify_.get(), watched->first);
  watched_.erase(watched);
}

}  // namespace bulkhead::pods
