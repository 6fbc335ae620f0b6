#ifndef BULKHEAD_RUNTIME_SUPERVISOR_POD_OOM_KILLS_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_POD_OOM_KILLS_H_

#include <cstdint>
#include <optional>

#include "runtime/kernel/fd.h"

namespace bulkhead::supervisor {

// Which container the OOM killer struck, though the container's counter is gone: systemd removes a
// scope as soon as it is empty, maybe before this process gets to read. The counter of the pod's
// cgroup counts what is below too, and stays; what it has beyond the containers that can be asked
// and those that were told before is the one's that has just ended. Two that end within the
// same moment can be taken for each other.
class PodOomKills {
 public:
  // From a container's launch: `events` is the pod's memory.events, or invalid; `living` is what
  // the living containers' counters have. The first one is kept.
  void Begin(UniqueFd events, uint64_t living);
  // The kills of a container that has ended. `own` is what its counter has, nothing when it is
  // gone; `living` what those of the other living ones have.
  uint64_t OnEnd(std::optional<uint64_t> own, uint64_t living);

  // For a re-exec.
  int events() const { return events_.get(); }
  uint64_t told() const { return told_; }
  void Restore(UniqueFd events, uint64_t told);

 private:
  UniqueFd events_;
  // Of containers that have ended, and of those before the first one.
  uint64_t told_ = 0;
};

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_POD_OOM_KILLS_H_
