#ifndef BULKHEAD_RUNTIME_SUPERVISOR_PROTOCOL_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_PROTOCOL_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "proto/supervisor.pb.h"

namespace bulkhead::supervisor {

// The versions of proto/supervisor.proto that this build speaks.
inline constexpr uint32_t kProtocolMin = 1;
inline constexpr uint32_t kProtocolMax = 6;

// The first with user namespaces.
inline constexpr uint32_t kProtocolUserNamespaces = 2;

// The first with image volumes.
inline constexpr uint32_t kProtocolImageVolumes = 3;

// The first with the labels of security modules.
inline constexpr uint32_t kProtocolLsm = 4;

// The first with seccomp agents.
inline constexpr uint32_t kProtocolSeccompAgent = 5;

// The first with SELinux.
inline constexpr uint32_t kProtocolSelinux = 6;

// The newest version in both ranges. FAILED_PRECONDITION when they do not overlap,
// INVALID_ARGUMENT for a range that is empty.
absl::StatusOr<uint32_t> ChooseProtocol(const Hello& hello);

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_PROTOCOL_H_
