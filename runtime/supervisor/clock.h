#ifndef BULKHEAD_RUNTIME_SUPERVISOR_CLOCK_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_CLOCK_H_

#include <time.h>

#include <cstdint>

namespace bulkhead::supervisor {

// Nanoseconds since the epoch.
inline int64_t Now() {
  timespec now = {};
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec;
}

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_CLOCK_H_
