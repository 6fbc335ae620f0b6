#ifndef BULKHEAD_SHIM_DAEMON_OVERDUE_EXIT_H_
#define BULKHEAD_SHIM_DAEMON_OVERDUE_EXIT_H_

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace bulkhead::daemon {

// Ends the process, with status 0, when the object is still there after `time`: a call can wait for
// a command, a disk or a supervisor that never answers. What is in progress then is as after a
// crash, which the next daemon finishes or undoes.
class OverdueExit {
 public:
  explicit OverdueExit(std::chrono::milliseconds time);
  ~OverdueExit();
  OverdueExit(const OverdueExit&) = delete;
  OverdueExit& operator=(const OverdueExit&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable over_;
  bool in_time_ = false;
  std::thread thread_;
};

}  // namespace bulkhead::daemon

#endif  // BULKHEAD_SHIM_DAEMON_OVERDUE_EXIT_H_
