// Paths that a container must not see or write, as sent by the CRI; an empty list is none.
#ifndef BULKHEAD_RUNTIME_ISOLATION_MASKED_PATHS_H_
#define BULKHEAD_RUNTIME_ISOLATION_MASKED_PATHS_H_

#include <vector>

#include "runtime/isolation/steps.h"

namespace bulkhead::isolation {

// Inside, with the container's root as root and working directory. A path that is not there needs
// no mask. Files are covered with the null device, which is first checked to be it and then
// used by descriptor (CVE-2025-31133); directories with an empty read-only tmpfs, whose SELinux
// context is `label`.
Outcome MaskPathsInside(const std::vector<const char*>& paths, const char* label);

// Inside. Makes the trees at the paths read-only; their other mount flags stay.
Outcome ReadOnlyPathsInside(const std::vector<const char*>& paths);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_MASKED_PATHS_H_
