#include "shim/pods/background.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "shim/log/event.h"

namespace bulkhead::pods {

Background::Background(int threads) : Background(threads, Pauses()) {}

Background::Background(int threads, Pauses pauses) : pauses_(pauses) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Run(); });
}

void Background::Post(std::function<void()> task) { At(Clock::now(), std::move(task)); }

void Background::Retry(const std::string& key, const std::string& what,
                       std::function<absl::Status()> task) {
  {
    const std::lock_guard lock(mutex_);
    if (!retried_.insert(key).second) return;
  }
  At(Clock::now() + pauses_.first,
     [this, key, what, task = std::move(task)] { Attempt(key, what, task, pauses_.first); });
}

void Background::Attempt(const std::string& key, const std::string& what,
                         const std::function<absl::Status()>& task,
                         std::chrono::milliseconds pause) {
  const absl::Status status = task();
  if (status.ok()) {
    LOG(INFO) << Event(what + " done after retries").With("id", key);
    const std::lock_guard lock(mutex_);
    retried_.erase(key);
    return;
  }
  const std::chrono::milliseconds next = std::min(pause * 2, pauses_.longest);
  LOG(WARNING)
      << Event(what + " failed").With("id", key).With("retry_in", next).With("error", status);
  At(Clock::now() + next, [this, key, what, task, next] { Attempt(key, what, task, next); });
}

void Background::At(Clock::time_point when, std::function<void()> task) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  tasks_.emplace(when, std::move(task));
  changed_.notify_one();
}

void Background::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (tasks_.empty()) {
      changed_.wait(lock);
    } else if (const Clock::time_point due = tasks_.begin()->first; due > Clock::now()) {
      changed_.wait_until(lock, due);
    } else {
      const std::function<void()> task = std::move(tasks_.begin()->second);
      tasks_.erase(tasks_.begin());
      lock.unlock();
      task();
      lock.lock();
    }
  }
}

void Background::Shutdown() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    tasks_.clear();
    changed_.notify_all();
  }
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

}  // namespace bulkhead::pods
