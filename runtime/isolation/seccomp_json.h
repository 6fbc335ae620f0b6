// Seccomp profiles in files: the form of the OCI runtime specification (linux.seccomp) and its
// extension by Docker, in which rules depend on the container and the host.
#ifndef BULKHEAD_RUNTIME_ISOLATION_SECCOMP_JSON_H_
#define BULKHEAD_RUNTIME_ISOLATION_SECCOMP_JSON_H_

#include <string>

#include "absl/status/statusor.h"
#include "runtime/isolation/seccomp_conditions.h"
#include "runtime/spec/seccomp.h"

namespace bulkhead::isolation {

// INVALID_ARGUMENT naming the key, such as "syscalls[3].args[0].op"; FAILED_PRECONDITION for
// SCMP_ACT_NOTIFY on a host without an agent. Keys that neither form has are passed over, as the
// specification demands
// ("Extensibility"), but within `includes` and `excludes`: a condition that is not understood is
// refused, and so is a known key in other case, which would be passed over as well.
absl::StatusOr<spec::SeccompProfile> ParseSeccompProfile(const std::string& text,
                                                         const SeccompConditions& conditions);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_SECCOMP_JSON_H_
