#include "shim/cri/cancellable_call.h"

#include <system_error>
#include <thread>
#include <utility>

namespace bulkhead::cri {
namespace {

// Deletes itself when gRPC is done with it.
class CancellableCall final : public grpc::ServerUnaryReactor {
 public:
  explicit CancellableCall(std::function<grpc::Status(std::stop_token)> work)
      : work_(std::move(work)) {}

  void Start() {
    try {
      thread_ = std::thread([this] { Finish(work_(stop_.get_token())); });
    } catch (const std::system_error&) {
      Finish({grpc::StatusCode::RESOURCE_EXHAUSTED, "the process may not have more threads"});
    }
  }

  void OnCancel() override { stop_.request_stop(); }

  // Never on the thread of its own, whose last act is Finish: gRPC calls it from one of its pool.
  void OnDone() override {
    if (thread_.joinable()) thread_.join();
    delete this;
  }

 private:
  const std::function<grpc::Status(std::stop_token)> work_;
  std::stop_source stop_;
  std::thread thread_;
};

}  // namespace

grpc::ServerUnaryReactor* RunCancellable(std::function<grpc::Status(std::stop_token)> work) {
  auto* call = new CancellableCall(std::move(work));
  call->Start();
  return call;
}

}  // namespace bulkhead::cri
