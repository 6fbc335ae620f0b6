#ifndef BULKHEAD_SHIM_CRI_EVENT_STREAM_H_
#define BULKHEAD_SHIM_CRI_EVENT_STREAM_H_

#include <grpcpp/support/server_callback.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>

#include "absl/status/status.h"
#include "proto/cri/api.pb.h"
#include "shim/pods/events.h"

namespace bulkhead::cri {

::runtime::v1::ContainerEventResponse FromEvent(const pods::ContainerEvent& event);

// Writes what a subscription tells to a stream, until the client leaves or the subscription ends.
class EventStream final : public grpc::ServerWriteReactor<::runtime::v1::ContainerEventResponse> {
 public:
  // Called once, with how the stream ended; returns what the client is told.
  using Finished = std::function<grpc::Status(const absl::Status&)>;

  // The stream deletes itself when gRPC is done with it. It ends with UNAVAILABLE when `stop` is
  // requested, and with RESOURCE_EXHAUSTED when there is no thread to be had.
  static EventStream* Start(std::shared_ptr<pods::EventSubscription> subscription,
                            std::stop_token stop, Finished finished);

  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  EventStream(std::shared_ptr<pods::EventSubscription> subscription, std::stop_token stop,
              Finished finished);
  void Run();
  absl::Status Forward();
  bool Write(const ::runtime::v1::ContainerEventResponse& event);

  const std::shared_ptr<pods::EventSubscription> subscription_;
  const std::stop_token stop_;
  const Finished finished_;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable written_;
  bool writing_ = false;
  bool write_ok_ = true;
  // Last: it may call back as soon as it is made, and must be gone before the rest.
  std::stop_callback<std::function<void()>> on_stop_;
};

}  // namespace bulkhead::cri

#endif  // BULKHEAD_SHIM_CRI_EVENT_STREAM_H_
