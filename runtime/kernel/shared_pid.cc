#include "runtime/kernel/shared_pid.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <utility>

#include "runtime/kernel/status.h"

namespace bulkhead {

absl::StatusOr<SharedPid> SharedPid::Make() {
  UniqueFd file(memfd_create("bulkhead-pid", MFD_CLOEXEC));
  if (!file.valid()) return ErrnoStatus(errno, "memfd_create for a process's number");
  if (ftruncate(file.get(), sizeof(pid_t)) != 0) return ErrnoStatus(errno, "ftruncate");
  return Open(std::move(file));
}

absl::StatusOr<SharedPid> SharedPid::Open(UniqueFd file) {
  void* const place =
      mmap(nullptr, sizeof(pid_t), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (place == MAP_FAILED) return ErrnoStatus(errno, "map a process's number");
  return SharedPid(std::move(file), static_cast<pid_t*>(place));
}

SharedPid::SharedPid(SharedPid&& other) noexcept
    : file_(std::move(other.file_)), place_(std::exchange(other.place_, nullptr)) {}

SharedPid& SharedPid::operator=(SharedPid&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(place_, other.place_);
  return *this;
}

SharedPid::~SharedPid() {
  if (place_ != nullptr) munmap(place_, sizeof(*place_));
}

pid_t SharedPid::Get() const {
  return place_ == nullptr ? 0 : std::atomic_ref<pid_t>(*place_).load();
}

int SharedPid::KeepFromChildren() const { return madvise(place_, sizeof(*place_), MADV_DONTFORK); }

}  // namespace bulkhead
