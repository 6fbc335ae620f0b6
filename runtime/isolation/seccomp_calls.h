// The lists of the default profile, apart from its mechanics.
#ifndef BULKHEAD_RUNTIME_ISOLATION_SECCOMP_CALLS_H_
#define BULKHEAD_RUNTIME_ISOLATION_SECCOMP_CALLS_H_

#include <span>

namespace bulkhead::isolation {

// Allowed to everyone.
extern const std::span<const char* const> kEverydayCalls;

// All others that are known: refused with EPERM to those without a capability that allows them.
extern const std::span<const char* const> kPrivilegedCalls;

struct CapabilityCalls {
  int capability;
  std::span<const char* const> calls;
};
extern const std::span<const CapabilityCalls> kCallsByCapability;

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_SECCOMP_CALLS_H_
