#ifndef BULKHEAD_TESTS_CONFORMANCE_CLIENT_EVENT_STREAM_H_
#define BULKHEAD_TESTS_CONFORMANCE_CLIENT_EVENT_STREAM_H_

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "proto/cri/api.grpc.pb.h"

namespace bulkhead::client {

// Collects the events of GetContainerEvents on a thread of its own until it is destroyed.
class EventStream {
 public:
  using Event = ::runtime::v1::ContainerEventResponse;

  explicit EventStream(::runtime::v1::RuntimeService::Stub& stub);
  ~EventStream();

  // The first event that `matches`, also of those already received; none after `patience`.
  std::optional<Event> WaitFor(const std::function<bool(const Event&)>& matches,
                               std::chrono::milliseconds patience);
  // All events of a container or sandbox so far, in order.
  std::vector<Event> Of(const std::string& container_id);

 private:
  void Read();

  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<Event>> reader_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<Event> events_;
  std::thread thread_;
};

}  // namespace bulkhead::client

#endif  // BULKHEAD_TESTS_CONFORMANCE_CLIENT_EVENT_STREAM_H_
