#include "shim/daemon/overdue_exit.h"

#include <glog/logging.h>
#include <unistd.h>

#include "shim/log/event.h"

namespace bulkhead::daemon {

OverdueExit::OverdueExit(std::chrono::milliseconds time)
    : thread_([this, time] {
        std::unique_lock lock(mutex_);
        if (over_.wait_for(lock, time, [this] { return in_time_; })) return;
        LOG(WARNING) << Event("calls in progress did not end in time, the next start sees to them");
        _exit(0);
      }) {}

OverdueExit::~OverdueExit() {
  {
    const std::lock_guard lock(mutex_);
    in_time_ = true;
  }
  over_.notify_one();
  thread_.join();
}

}  // namespace bulkhead::daemon
