#ifndef BULKHEAD_SHIM_PODS_CONTAINER_END_H_
#define BULKHEAD_SHIM_PODS_CONTAINER_END_H_

#include <cstdint>
#include <memory>
#include <mutex>

#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::pods {

// Tells an attached client of its container's end. Thread safe.
class ContainerEnd {
 public:
  static absl::StatusOr<std::shared_ptr<ContainerEnd>> Create();

  // Readable once Tell was called. Borrowed.
  int fd() const { return ended_.get(); }
  // UNAVAILABLE before that.
  absl::StatusOr<int32_t> ExitCode() const;
  void Tell(absl::StatusOr<int32_t> code);

 private:
  explicit ContainerEnd(UniqueFd ended) : ended_(std::move(ended)) {}

  const UniqueFd ended_;
  mutable std::mutex mutex_;
  absl::StatusOr<int32_t> code_ = absl::UnavailableError("the container runs");
};

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_CONTAINER_END_H_
