// Capability sets from names: capabilities(7).
#ifndef BULKHEAD_RUNTIME_ISOLATION_CAPABILITIES_H_
#define BULKHEAD_RUNTIME_ISOLATION_CAPABILITIES_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/spec/security.h"

namespace bulkhead::isolation {

// Of a name with or without "CAP_", in any case; none for one that no capability has.
std::optional<int> CapabilityNumber(const std::string& name);

// Bit n is capability n.
struct CapabilitySets {
  uint64_t bounding = 0;
  uint64_t effective = 0;
  uint64_t permitted = 0;
  uint64_t inheritable = 0;
  uint64_t ambient = 0;

  bool operator==(const CapabilitySets&) const = default;
};

// What containers get that ask for nothing.
uint64_t DefaultCapabilities();

// The default set, all added, all dropped taken away; "ALL" in one list and a name in the other:
// the name wins. Nothing is inheritable but what is ambient (CVE-2022-24769). What the host's
// bounding set has not cannot be given: "ALL", privileged and added names mean those it has.
// INVALID_ARGUMENT naming the list and the unknown name, or an ambient capability that is not in
// the set.
absl::StatusOr<CapabilitySets> PlanCapabilities(const spec::SecurityContext& security,
                                                uint64_t host_bounding);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_CAPABILITIES_H_
