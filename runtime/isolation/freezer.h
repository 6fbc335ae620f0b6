// Killing all of a cgroup where there is no v2 tree: with v1's freezer.
#ifndef BULKHEAD_RUNTIME_ISOLATION_FREEZER_H_
#define BULKHEAD_RUNTIME_ISOLATION_FREEZER_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace bulkhead::isolation {

// Freezes the cgroup (nothing in it can fork or be reused as a number then), sends SIGKILL to
// every process, thaws, waits for them by pidfd, and does so again until none is left. OK when
// the cgroup does not exist.
absl::Status KillWithFreezer(const std::string& directory, absl::Time deadline);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_FREEZER_H_
