// Signal state, which a child inherits from the supervisor.
#ifndef BULKHEAD_RUNTIME_ISOLATION_SIGNALS_H_
#define BULKHEAD_RUNTIME_ISOLATION_SIGNALS_H_

namespace bulkhead::isolation {

// Inside. Every signal's default action; an ignored signal would stay so over the exec.
void ResetSignalHandlers();

// Inside. The last step before exec.
void UnblockSignals();

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_SIGNALS_H_
