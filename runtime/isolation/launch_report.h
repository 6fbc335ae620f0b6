// What a child says before it executes: one fixed datagram, made without allocation. It carries
// its text itself, so that a supervisor which re-executed meanwhile can read it.
#ifndef BULKHEAD_RUNTIME_ISOLATION_LAUNCH_REPORT_H_
#define BULKHEAD_RUNTIME_ISOLATION_LAUNCH_REPORT_H_

#include <cstdint>

#include "runtime/isolation/steps.h"

namespace bulkhead::isolation {

struct LaunchReport {
  int32_t error = 0;       // 0: ready, or listening.
  char step[60] = {};      // Ends with a NUL.
  char subject[448] = {};  // The same; cut when longer.
};

// Inside.
Outcome SendReport(int control, const char* step, const Outcome& outcome);

// Inside: that the filter's listener can be taken.
Outcome SendListening(int control);

// Inside: wait for the go, or for the listener to be taken. ECONNRESET when the supervisor is gone,
// or does not do it.
Outcome AwaitRelease(int control);
Outcome AwaitListenerTaken(int control);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_LAUNCH_REPORT_H_
