#include "shim/cri/calls.h"

namespace bulkhead::cri {
namespace {

constexpr size_t kLongestMessage = 2048;

// Whether the byte is inside a UTF-8 sequence.
bool Continues(char byte) { return (byte & 0xC0) == 0x80; }

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  std::string message(status.message());
  if (message.size() > kLongestMessage) {
    size_t end = kLongestMessage;
    while (end > 0 && Continues(message[end])) --end;
    message.resize(end);
    message += "…";
  }
  return {static_cast<grpc::StatusCode>(status.code()), message};
}

grpc::Status Calls::Report(CallRecord record, absl::Time start) const {
  record.duration = absl::Now() - start;
  if (sink_) sink_(record);
  return ToGrpcStatus(record.status);
}

}  // namespace bulkhead::cri
