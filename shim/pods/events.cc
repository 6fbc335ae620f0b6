#include "shim/pods/events.h"

#include <utility>

#include "absl/status/status.h"

namespace bulkhead::pods {
namespace {

// Events that a subscriber may lag behind.
constexpr size_t kQueueLength = 1000;

}  // namespace

absl::StatusOr<ContainerEvent> EventSubscription::Next() {
  std::unique_lock lock(mutex_);
  ready_.wait(lock, [this] { return closed_ || overflowed_ || !queue_.empty(); });
  if (closed_) return absl::CancelledError("the event stream was closed");
  if (overflowed_) {
    return absl::ResourceExhaustedError(
        "the event stream fell behind and lost events: list again and subscribe anew");
  }
  ContainerEvent event = std::move(queue_.front());
  queue_.pop_front();
  return event;
}

void EventSubscription::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  ready_.notify_all();
}

void EventSubscription::Push(ContainerEvent event) {
  const std::lock_guard lock(mutex_);
  if (closed_ || overflowed_) return;
  if (queue_.size() >= capacity_) {
    overflowed_ = true;
    queue_.clear();
  } else {
    queue_.push_back(std::move(event));
  }
  ready_.notify_all();
}

std::shared_ptr<EventSubscription> EventHub::Subscribe() {
  auto subscription = std::make_shared<EventSubscription>(kQueueLength);
  const std::lock_guard lock(mutex_);
  if (closed_) subscription->Close();
  subscribers_.push_back(subscription);
  return subscription;
}

bool EventHub::HasSubscribers() {
  const std::lock_guard lock(mutex_);
  std::erase_if(subscribers_, [](const auto& subscriber) { return subscriber.expired(); });
  return !subscribers_.empty();
}

void EventHub::Publish(const ContainerEvent& event) {
  const std::lock_guard lock(mutex_);
  for (const auto& subscriber : subscribers_) {
    if (const auto subscription = subscriber.lock()) subscription->Push(event);
  }
}

void EventHub::CloseAll() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  for (const auto& subscriber : subscribers_) {
    if (const auto subscription = subscriber.lock()) subscription->Close();
  }
}

}  // namespace bulkhead::pods
