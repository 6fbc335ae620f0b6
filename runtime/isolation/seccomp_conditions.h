// Docker's extension of seccomp profiles: rules that depend on the container and the host.
#ifndef BULKHEAD_RUNTIME_ISOLATION_SECCOMP_CONDITIONS_H_
#define BULKHEAD_RUNTIME_ISOLATION_SECCOMP_CONDITIONS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace bulkhead::isolation {

// What a profile depends on: what its rules' `includes` and `excludes` ask about, and its agent.
struct SeccompConditions {
  uint64_t capabilities = 0;   // Bit n is capability n.
  std::string machine;         // As of uname(2), such as "x86_64".
  std::string kernel_release;  // As of uname(2).
  // The socket of the host's seccomp agent; empty: it has none.
  std::string agent = {};
};

// Whether all holds that the rule's `includes` names, and nothing that its `excludes` names.
// INVALID_ARGUMENT naming the key, also for a condition that is not known: it cannot be decided.
absl::StatusOr<bool> RuleApplies(const nlohmann::json& rule, const std::string& place,
                                 const SeccompConditions& conditions);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_SECCOMP_CONDITIONS_H_
