// What a pod's user namespace asks of its plans.
#ifndef BULKHEAD_RUNTIME_ISOLATION_PLAN_USER_NAMESPACE_H_
#define BULKHEAD_RUNTIME_ISOLATION_PLAN_USER_NAMESPACE_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/isolation/resolve.h"
#include "runtime/spec/container.h"
#include "runtime/spec/security.h"

namespace bulkhead::isolation {

// All return INVALID_ARGUMENT naming the field.

// A user namespace excludes the host's other namespaces: nothing in them would be the pod's own.
absl::Status CheckPodUserNamespace(const spec::NamespaceOptions& pod);

// That a container asks for no other one than its pod's, nor for the host's PID namespace in one.
absl::Status CheckContainerUserNamespace(const spec::NamespaceOptions& container,
                                         const spec::NamespaceOptions& pod);

// That all ids of the process are mapped.
absl::Status CheckMapped(const ResolvedUser& user, const spec::NamespaceOptions& pod);

// Whether mounts[number] is an ID-mapped one. Its maps must be the pod's.
absl::StatusOr<bool> PlanIdMapping(const spec::Mount& mount, size_t number,
                                   const spec::NamespaceOptions& pod);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_PLAN_USER_NAMESPACE_H_
