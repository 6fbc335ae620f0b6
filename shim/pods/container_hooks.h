#ifndef BULKHEAD_SHIM_PODS_CONTAINER_HOOKS_H_
#define BULKHEAD_SHIM_PODS_CONTAINER_HOOKS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/spec/container.h"
#include "shim/pods/record.h"

namespace bulkhead::pods {

struct HookRun {
  const ContainerRecord& container;
  std::string bundle;  // An existing directory; what it has is hidden from the hooks.
  int process = -1;    // A pidfd of the container's first process, which has executed nothing.
  int32_t pid = 0;     // Its number.
  int cancel_fd = -1;  // Borrowed; readable means: give up (CANCELLED). -1 for none.
};

// Runs the container's createContainer hooks, one after the other, as OCI's config.md says: as the
// superuser of the host, with the host's files, in the container's mount, network, IPC and UTS
// namespaces, its root a directory of their bundle. They get no environment but their own (the
// image's would be the way in of CVE-2025-23266). Blocks until they have ended; one that takes
// longer than its time, 60 s where it has none, is killed. A root that is to be read-only becomes
// so.
//
// Returns where they mounted something. INTERNAL with the hook, how it ended and what it wrote; the
// container must not be started after any error.
absl::StatusOr<std::vector<std::string>> RunHooks(const HookRun& run);

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_CONTAINER_HOOKS_H_
