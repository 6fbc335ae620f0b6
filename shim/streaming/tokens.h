#ifndef BULKHEAD_SHIM_STREAMING_TOKENS_H_
#define BULKHEAD_SHIM_STREAMING_TOKENS_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "shim/streaming/request.h"

namespace bulkhead::streaming {

// Requests that wait for their clients. A token is all that a client shows, so it is 128 bits from
// the kernel and works once. Thread safe.
class Tokens {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr size_t kMostOutstanding = 1000;
  static constexpr std::chrono::seconds kLifetime{60};

  explicit Tokens(std::function<Clock::time_point()> now = Clock::now) : now_(std::move(now)) {}

  // RESOURCE_EXHAUSTED when too many were not used yet.
  absl::StatusOr<std::string> Add(Request request);
  // nullopt, and counted, when there is no such token (any more) or it is of another kind.
  std::optional<Request> Take(const std::string& kind, const std::string& token);
  uint64_t refused() const;

 private:
  struct Entry {
    Request request;
    Clock::time_point expires;
  };
  void DropExpired();

  const std::function<Clock::time_point()> now_;
  mutable std::mutex mutex_;
  std::map<std::string, Entry> entries_;
  uint64_t refused_ = 0;
};

}  // namespace bulkhead::streaming

#endif  // BULKHEAD_SHIM_STREAMING_TOKENS_H_
