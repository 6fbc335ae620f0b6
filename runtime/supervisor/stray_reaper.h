#ifndef BULKHEAD_RUNTIME_SUPERVISOR_STRAY_REAPER_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_STRAY_REAPER_H_

#include <sys/types.h>

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "runtime/kernel/fd.h"
#include "runtime/supervisor/event_loop.h"

namespace bulkhead::supervisor {

// Reaps children of this process that it did not make: a process of a container makes them with
// CLONE_PARENT (clone(2)). As zombies they would keep the first process of their PID namespace
// from ending, which waits until the namespace is empty, and so its container from being stopped.
class StrayReaper {
 public:
  // `is_ours` tells of a child that somebody else reaps.
  StrayReaper(EventLoop& loop, std::function<bool(pid_t)> is_ours)
      : loop_(loop), is_ours_(std::move(is_ours)) {}
  ~StrayReaper();
  StrayReaper(const StrayReaper&) = delete;
  StrayReaper& operator=(const StrayReaper&) = delete;

  // Blocks SIGCHLD for the calling thread and those that it starts, and reaps from here on.
  absl::Status Start();

 private:
  void Sweep();

  EventLoop& loop_;
  const std::function<bool(pid_t)> is_ours_;
  UniqueFd signals_;
  uint64_t retry_ = 0;  // a timer; 0: none
};

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_STRAY_REAPER_H_
