#include "tests/conformance/client/event_stream.h"

#include <algorithm>

namespace bulkhead::client {

EventStream::EventStream(::runtime::v1::RuntimeService::Stub& stub)
    : reader_(stub.GetContainerEvents(&context_, {})) {
  thread_ = std::thread([this] { Read(); });
}

EventStream::~EventStream() {
  context_.TryCancel();
  thread_.join();
}

void EventStream::Read() {
  Event event;
  while (reader_->Read(&event)) {
    std::lock_guard lock(mutex_);
    events_.push_back(event);
    arrived_.notify_all();
  }
  reader_->Finish();
}

std::optional<EventStream::Event> EventStream::WaitFor(
    const std::function<bool(const Event&)>& matches, std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  auto found = events_.end();
  arrived_.wait_for(lock, patience, [&] {
    found = std::find_if(events_.begin(), events_.end(), matches);
    return found != events_.end();
  });
  if (found == events_.end()) return std::nullopt;
  return *found;
}

std::vector<EventStream::Event> EventStream::Of(const std::string& container_id) {
  std::lock_guard lock(mutex_);
  std::vector<Event> found;
  std::copy_if(events_.begin(), events_.end(), std::back_inserter(found),
               [&](const Event& event) { return event.container_id() == container_id; });
  return found;
}

}  // namespace bulkhead::client
