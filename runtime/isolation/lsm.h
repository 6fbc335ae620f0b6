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

// FAILED_PRECONDITION, naming the field, for what this host cannot give. `selinux_label` is that of
// PlanSelinux; empty: none is set.
absl::StatusOr<plan::LsmPlan> PlanLsm(const spec::SecurityContext& security, const HostFacts& host,
                                      const std::string& selinux_label);

struct LsmSlice {
  int procfs = -1;                 // PodNamespaces::procfs, borrowed.
  const char* attribute = "";      // Below it; the one that takes the label.
  const char* key_attribute = "";  // The one that takes the label of new keys; empty: none does.
  std::string command;             // What is written there; empty: nothing.
  std::string subject;             // For errors.
};

// INVALID_ARGUMENT when the plan has both AppArmor's label and SELinux's: no kernel does.
absl::StatusOr<LsmSlice> LsmOutside(const plan::LsmPlan& plan, int procfs);

// Inside: the attribute of the calling thread that takes the label of its next program, while the
// procfs is at hand. That is one which nobody can mount anything over, so that what is written goes
// where it is meant to (CVE-2019-16884, CVE-2025-52881).
Outcome OpenLabelInside(const LsmSlice& slice, int& attribute);

// Inside, before the session keyring is made: SELinux gives it the label of who makes it otherwise,
// and the policy would keep the container from its own keys. The exec ends it.
Outcome SetKeyLabelInside(const LsmSlice& slice);

// Inside: gives the calling process the SELinux label at once, without an exec, where the policy
// allows that; where it does not, nothing is changed.
Outcome BecomeLabelledInside(const LsmSlice& slice);

// Inside, at the last moment: an AppArmor profile that is removed between this and the exec is as
// if it were removed after it, and the process unconfined. ENOENT: the kernel knows no such
// profile; EINVAL: no such SELinux context.
Outcome SetLabelInside(const LsmSlice& slice, int attribute);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_LSM_H_
