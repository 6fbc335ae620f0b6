#ifndef BULKHEAD_RUNTIME_SUPERVISOR_UPGRADE_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_UPGRADE_H_

#include <chrono>

#include "absl/status/statusor.h"
#include "runtime/supervisor/client.h"
#include "runtime/supervisor/spawn.h"

namespace bulkhead::supervisor {

// Makes a supervisor of another build become `image`'s, in place: its pid, containers and this
// connection stay. False: it is of that build already. After an error the old build goes on,
// and the message says why.
absl::StatusOr<bool> UpgradeSupervisor(SupervisorClient& client, const SupervisorImage& image,
                                       std::chrono::milliseconds timeout);

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_UPGRADE_H_
