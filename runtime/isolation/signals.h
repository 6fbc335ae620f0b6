// Signal state, which a child inherits from the supervisor.
#ifndef BULKHEAD_RUNTIME_ISOLATION_SIGNALS_H_
#define BULKHEAD_RUNTIME_ISOLATION_SIGNALS_H_

#include "runtime/isolation/steps.h"

namespace bulkhead::isolation {

// Inside. Every signal's default action; an ignored signal would stay so over the exec.
Outcome ResetSignalsInside();

// Inside, once the program may run.
Outcome UnblockSignalsInside();

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_SIGNALS_H_
