#ifndef BULKHEAD_RUNTIME_KERNEL_SHARED_PID_H_
#define BULKHEAD_RUNTIME_KERNEL_SHARED_PID_H_

#include <sys/types.h>

#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"

namespace bulkhead {

// The number of a process that a child makes, which the kernel writes (CLONE_PARENT_SETTID) before
// that process does anything: memory that this process and the child share.
class SharedPid {
 public:
  SharedPid() = default;
  static absl::StatusOr<SharedPid> Make();
  // Of a file(), by another program of this process.
  static absl::StatusOr<SharedPid> Open(UniqueFd file);
  SharedPid(SharedPid&& other) noexcept;
  SharedPid& operator=(SharedPid&& other) noexcept;
  ~SharedPid();

  bool valid() const { return place_ != nullptr; }
  // 0 while there is none, or when this is not valid.
  pid_t Get() const;
  // Where it is written.
  pid_t* place() const { return place_; }
  int file() const { return file_.get(); }

  // Inside: nothing that this process clones from here on gets the memory.
  int KeepFromChildren() const;

 private:
  SharedPid(UniqueFd file, pid_t* place) : file_(std::move(file)), place_(place) {}

  UniqueFd file_;
  pid_t* place_ = nullptr;
};

}  // namespace bulkhead

#endif  // BULKHEAD_RUNTIME_KERNEL_SHARED_PID_H_
