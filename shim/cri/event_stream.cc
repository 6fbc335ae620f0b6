#include "shim/cri/event_stream.h"

#include <system_error>
#include <utility>

#include "shim/cri/translate_status.h"

namespace bulkhead::cri {
namespace {

namespace v1 = ::runtime::v1;

v1::ContainerEventType FromType(pods::ContainerEvent::Type type) {
  switch (type) {
    case pods::ContainerEvent::Type::kCreated:
      return v1::CONTAINER_CREATED_EVENT;
    case pods::ContainerEvent::Type::kStarted:
      return v1::CONTAINER_STARTED_EVENT;
    case pods::ContainerEvent::Type::kStopped:
      return v1::CONTAINER_STOPPED_EVENT;
    case pods::ContainerEvent::Type::kDeleted:
      return v1::CONTAINER_DELETED_EVENT;
  }
  return v1::CONTAINER_CREATED_EVENT;
}

}  // namespace

v1::ContainerEventResponse FromEvent(const pods::ContainerEvent& event) {
  v1::ContainerEventResponse out;
  out.set_container_id(event.container_id);
  out.set_container_event_type(FromType(event.type));
  out.set_created_at(event.created_at);
  *out.mutable_pod_sandbox_status() = FromPodStatus(event.pod);
  for (const pods::ContainerStatus& container : event.pod.containers) {
    *out.add_containers_statuses() = FromContainerStatus(container);
  }
  return out;
}

EventStream* EventStream::Start(std::shared_ptr<pods::EventSubscription> subscription,
                                std::stop_token stop, Finished finished) {
  auto* stream = new EventStream(std::move(subscription), std::move(stop), std::move(finished));
  try {
    stream->thread_ = std::thread([stream] { stream->Run(); });
  } catch (const std::system_error&) {
    stream->Finish(
        stream->finished_(absl::ResourceExhaustedError("the process may not have more threads")));
  }
  return stream;
}

EventStream::EventStream(std::shared_ptr<pods::EventSubscription> subscription,
                         std::stop_token stop, Finished finished)
    : subscription_(std::move(subscription)),
      stop_(stop),
      finished_(std::move(finished)),
      on_stop_(std::move(stop), [this] { subscription_->Close(); }) {}

void EventStream::Run() {
  const absl::Status ended = Forward();
  Finish(finished_(stop_.stop_requested()
                       ? absl::UnavailableError("the daemon is going down; list again")
                       : ended));
}

absl::Status EventStream::Forward() {
  StartSendInitialMetadata();  // So that the client knows from when on it misses nothing.
  for (;;) {
    const absl::StatusOr<pods::ContainerEvent> event = subscription_->Next();
    if (!event.ok()) return event.status();
    if (!Write(FromEvent(*event))) return absl::CancelledError("the client has left");
  }
}

bool EventStream::Write(const v1::ContainerEventResponse& event) {
  std::unique_lock lock(mutex_);
  writing_ = true;
  StartWrite(&event);
  written_.wait(lock, [this] { return !writing_; });
  return write_ok_;
}

void EventStream::OnWriteDone(bool ok) {
  const std::lock_guard lock(mutex_);
  writing_ = false;
  write_ok_ = ok;
  written_.notify_one();
}

void EventStream::OnCancel() { subscription_->Close(); }

// Never on the thread of its own, whose last act is Finish: gRPC calls it from one of its pool.
void EventStream::OnDone() {
  if (thread_.joinable()) thread_.join();
  delete this;
}

}  // namespace bulkhead::cri
