// Sysctls of a pod: only those of its own namespaces.
#ifndef BULKHEAD_RUNTIME_ISOLATION_SYSCTLS_H_
#define BULKHEAD_RUNTIME_ISOLATION_SYSCTLS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/plan.pb.h"

namespace bulkhead::isolation {

// Which namespaces the pod has of its own.
struct SysctlNamespaces {
  bool network = false;
  bool ipc = false;
  bool uts = false;
};

// Dotted (or slashed) names to plan entries. INVALID_ARGUMENT naming the sysctl: not namespaced,
// of a namespace that the pod shares with the host, or not a name.
absl::StatusOr<std::vector<plan::Sysctl>> PlanSysctls(
    const std::map<std::string, std::string>& sysctls, const SysctlNamespaces& own);

// Writes one through a verified procfs; the calling process must be in the pod's namespaces.
absl::Status WriteSysctl(int procfs, const plan::Sysctl& sysctl);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_SYSCTLS_H_
