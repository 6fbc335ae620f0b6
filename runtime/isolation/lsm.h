#ifndef BULKHEAD_RUNTIME_ISOLATION_LSM_H_
#define BULKHEAD_RUNTIME_ISOLATION_LSM_H_

#include "absl/status/status.h"
#include "runtime/isolation/host_facts.h"
#include "runtime/spec/security.h"

namespace bulkhead::isolation {

// Labels of AppArmor and SELinux are not set yet. What this host or version cannot give is an
// error naming the field: FAILED_PRECONDITION or UNIMPLEMENTED. Without AppArmor its runtime
// default is nothing, as with the peers, and so are SELinux options without SELinux.
absl::Status CheckLsm(const spec::SecurityContext& security, const HostFacts& host);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_LSM_H_
