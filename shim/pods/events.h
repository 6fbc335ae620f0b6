#ifndef BULKHEAD_SHIM_PODS_EVENTS_H_
#define BULKHEAD_SHIM_PODS_EVENTS_H_

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "shim/pods/status.h"

namespace bulkhead::pods {

// CRI ContainerEventResponse. Events of the sandbox itself carry its id as container id.
struct ContainerEvent {
  enum class Type { kCreated, kStarted, kStopped, kDeleted };
  std::string container_id;
  Type type = Type::kCreated;
  int64_t created_at = 0;  // Nanoseconds since the epoch.
  // The pod as it can be read when the event is sent, with all its containers.
  PodStatus pod;
};

// One subscriber's bounded queue. When it overflows, the stream ends with RESOURCE_EXHAUSTED so
// that the subscriber lists again; an event is never dropped silently. Thread safe.
class EventSubscription {
 public:
  explicit EventSubscription(size_t capacity) : capacity_(capacity) {}

  // Waits for the next event. CANCELLED after Close; RESOURCE_EXHAUSTED after an overflow.
  absl::StatusOr<ContainerEvent> Next();
  void Close();
  // Called by the hub. Never waits.
  void Push(ContainerEvent event);

 private:
  const size_t capacity_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<ContainerEvent> queue_;
  bool closed_ = false;
  bool overflowed_ = false;
};

// Hands each event to every subscriber. Thread safe.
class EventHub {
 public:
  std::shared_ptr<EventSubscription> Subscribe();
  // So that nobody makes an event that nobody reads.
  bool HasSubscribers();
  // Never waits.
  void Publish(const ContainerEvent& event);
  // Ends every stream, and those still to come, at shutdown.
  void CloseAll();

 private:
  std::mutex mutex_;
  bool closed_ = false;
  std::vector<std::weak_ptr<EventSubscription>> subscribers_;
};

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_EVENTS_H_
