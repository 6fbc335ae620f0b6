// What a security module does to a process: the label that it gets with its exec.
#ifndef BULKHEAD_RUNTIME_ISOLATION_LSM_H_
#define BULKHEAD_RUNTIME_ISOLATION_LSM_H_

#include <string>

#include "absl/status/statusor.h"
#include "proto/plan.pb.h"
#include "runtime/isolation/host_facts.h"
#include "runtime/isolation/steps.h"
#include "runtime/spec/security.h"

namespace bulkhead::isolation {

// FAILED_PRECONDITION or UNIMPLEMENTED, naming the field, for what this host or version cannot
// give. SELinux options are nothing on a host without SELinux, as with the peers.
absl::StatusOr<plan::LsmPlan> PlanLsm(const spec::SecurityContext& security, const HostFacts& host);

struct LsmSlice {
  int procfs = -1;               // PodNamespaces::procfs, borrowed.
  std::string apparmor_command;  // Empty: no profile.
};

LsmSlice LsmOutside(const plan::LsmPlan& plan, int procfs);

// Inside: the attribute of the calling thread that takes its next profile, while the procfs is at
// hand. That is one which nobody can mount anything over, so that what is written goes where it is
// meant to (CVE-2019-16884, CVE-2025-52881).
Outcome OpenAppArmorInside(const LsmSlice& slice, int& attribute);

// Inside, at the last moment: a profile that is removed between this and the exec is as if it were
// removed after it, and the process unconfined. ENOENT: the kernel knows no such profile.
Outcome SetAppArmorInside(const LsmSlice& slice, int attribute);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_LSM_H_
