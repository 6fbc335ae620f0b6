#ifndef BULKHEAD_SHIM_CRI_REQUEST_H_
#define BULKHEAD_SHIM_CRI_REQUEST_H_

#include <chrono>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/cri/api.pb.h"

// What many requests have in common. INVALID_ARGUMENT names the field.
namespace bulkhead::cri {

// "namespace/name" for the log; empty when the configuration has no metadata.
std::string PodName(const ::runtime::v1::PodSandboxConfig& config);

// An empty id is refused, because as a prefix it would fit every pod or container.
absl::Status CheckPodId(const std::string& id);
absl::Status CheckContainerId(const std::string& id);

// The field `cmd`.
absl::Status CheckCommand(const google::protobuf::RepeatedPtrField<std::string>& command);

// The field `timeout`. Cut to a hundred years, so that it can be added to a time.
absl::StatusOr<std::chrono::seconds> ToSeconds(int64_t timeout);

// Whether the text is address ranges such as "10.1.0.0/24,fd00::/64".
bool IsCidrList(const std::string& text);

}  // namespace bulkhead::cri

#endif  // BULKHEAD_SHIM_CRI_REQUEST_H_
