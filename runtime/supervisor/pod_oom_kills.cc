#include "runtime/supervisor/pod_oom_kills.h"

#include <utility>

#include "runtime/supervisor/exit_record.h"

namespace bulkhead::supervisor {

void PodOomKills::Begin(UniqueFd events, uint64_t living) {
  if (events_.valid() || !events.valid()) return;
  events_ = std::move(events);
  // A sandbox before this one may have had the same cgroup.
  const uint64_t all = ReadOomKills(events_.get()).value_or(0);
  told_ = all > living ? all - living : 0;
}

uint64_t PodOomKills::OnEnd(std::optional<uint64_t> own, uint64_t living) {
  if (own.has_value()) {
    told_ += *own;
    return *own;
  }
  const uint64_t all = ReadOomKills(events_.get()).value_or(0);
  if (all <= told_ + living) return 0;
  return all - std::exchange(told_, all - living) - living;
}

void PodOomKills::Restore(UniqueFd events, uint64_t told) {
  events_ = std::move(events);
  told_ = told;
}

}  // namespace bulkhead::supervisor
