// User, groups, capabilities, no_new_privs, in the order that capabilities(7) demands.
#ifndef BULKHEAD_RUNTIME_ISOLATION_CREDENTIALS_H_
#define BULKHEAD_RUNTIME_ISOLATION_CREDENTIALS_H_

#include <cstdint>

#include "proto/plan.pb.h"
#include "runtime/isolation/steps.h"

namespace bulkhead::isolation {

// Inside: takes all capabilities but those `kept`, a bit mask, out of the bounding set; needs
// CAP_SETPCAP, so it comes first.
Outcome DropBoundingSetInside(uint64_t kept);

// Inside: groups, gid, uid. Capabilities are kept for the next step.
Outcome SetIdsInside(const plan::CredentialsPlan& plan);

// Inside: exactly the plan's sets. EPERM when one is not to be had, never fewer in silence.
Outcome SetCapabilitiesInside(const plan::CredentialsPlan& plan);

// Inside.
Outcome SetNoNewPrivilegesInside(const plan::CredentialsPlan& plan);

// Inside: a session keyring of its own, so that the supervisor's keys are not in reach.
Outcome NewSessionKeyringInside();

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_CREDENTIALS_H_
