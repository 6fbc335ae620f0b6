// What a child says before it executes: one fixed datagram, made without allocation. It carries
// its text itself, so that a supervisor which re-executed meanwhile can read it.
#ifndef BULKHEAD_RUNTIME_ISOLATION_LAUNCH_REPORT_H_
#define BULKHEAD_RUNTIME_ISOLATION_LAUNCH_REPORT_H_

#include <cstdint>

#include "runtime/isolation/steps.h"

namespace bulkhead::isolation {

struct LaunchReport {
  int32_t error = 0;       // 0: ready.
  char step[60] = {};      // Ends with a NUL.
  char subject[448] = {};  // The same; cut when longer.
};

// Inside.
Outcome SendReport(int control, const char* step, const Outcome& outcome);

// Inside: waits for the go. ECONNRESET when the supervisor is gone.
Outcome AwaitRelease(int control);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_LAUNCH_REPORT_H_
