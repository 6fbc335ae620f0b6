#ifndef BULKHEAD_RUNTIME_SUPERVISOR_SAVED_FD_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_SAVED_FD_H_

#include "runtime/kernel/fd.h"

namespace bulkhead::supervisor {

// Descriptors as proto/state.proto writes them: 0 is "none".
inline int SaveFd(int fd) { return fd > 0 ? fd : 0; }
inline UniqueFd RestoreFd(int number) { return UniqueFd(number > 0 ? number : -1); }

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_SAVED_FD_H_
