#include "shim/pods/container_end.h"

#include <sys/eventfd.h>

#include <cerrno>
#include <utility>

#include "runtime/kernel/status.h"

namespace bulkhead::pods {

absl::StatusOr<std::shared_ptr<ContainerEnd>> ContainerEnd::Create() {
  UniqueFd ended(eventfd(0, EFD_CLOEXEC));
  if (!ended.valid()) return ErrnoStatus(errno, "eventfd");
  return std::shared_ptr<ContainerEnd>(new ContainerEnd(std::move(ended)));
}

absl::StatusOr<int32_t> ContainerEnd::ExitCode() const {
  const std::lock_guard lock(mutex_);
  return code_;
}

void ContainerEnd::Tell(absl::StatusOr<int32_t> code) {
  const std::lock_guard lock(mutex_);
  code_ = std::move(code);
  eventfd_write(ended_.get(), 1);
}

}  // namespace bulkhead::pods
