// What a v2 tree can do without controllers, which is also what is used of it on a hybrid host:
// join, kill, tell when it is empty.
#ifndef BULKHEAD_RUNTIME_ISOLATION_CGROUP_TREE_V2_H_
#define BULKHEAD_RUNTIME_ISOLATION_CGROUP_TREE_V2_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace bulkhead::isolation {

// Whether a process is in the cgroup or below; false when it does not exist.
absl::StatusOr<bool> IsPopulated(const std::string& directory);

// Waits for cgroup.events to say so. DEADLINE_EXCEEDED.
absl::Status AwaitEmpty(const std::string& directory, absl::Time deadline);

// cgroup.kill (Linux 5.14), then AwaitEmpty. Forks that race with it are killed too.
absl::Status KillTree(const std::string& directory, absl::Time deadline);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_CGROUP_TREE_V2_H_
