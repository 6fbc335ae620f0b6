#ifndef BULKHEAD_TESTS_KERNEL_SUPERVISOR_HANGING_FILESYSTEM_H_
#define BULKHEAD_TESTS_KERNEL_SUPERVISOR_HANGING_FILESYSTEM_H_

#include <string>
#include <thread>

#include "runtime/kernel/fd.h"

namespace bulkhead::supervisor {

// A FUSE file system with one file, "log", that can be opened and whose writes never return: a
// disk that hangs. Mounted while the object lives; its end makes all that hangs fail.
class HangingFilesystem {
 public:
  explicit HangingFilesystem(std::string mount_point);
  ~HangingFilesystem();
  HangingFilesystem(const HangingFilesystem&) = delete;
  HangingFilesystem& operator=(const HangingFilesystem&) = delete;

  std::string log_path() const { return mount_point_ + "/log"; }
  // Waits until somebody hangs in a write.
  void AwaitWrite();

 private:
  void Serve();

  std::string mount_point_;
  UniqueFd device_;
  UniqueFd stop_;
  UniqueFd written_;
  std::thread server_;
};

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_TESTS_KERNEL_SUPERVISOR_HANGING_FILESYSTEM_H_
