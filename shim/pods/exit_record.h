#ifndef BULKHEAD_SHIM_PODS_EXIT_RECORD_H_
#define BULKHEAD_SHIM_PODS_EXIT_RECORD_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/supervisor.pb.h"

namespace bulkhead::pods {

// Makes the file that takes a container's exit record, its space reserved: the end of a container
// must not get lost because memory or disk is full at that moment.
absl::Status PreallocateExitRecord(const std::string& path);

// What the supervisor wrote; none while the container has not ended, or where there is no file.
// DATA_LOSS for a record that does not parse.
absl::StatusOr<std::optional<supervisor::ExitRecord>> ReadExitRecord(const std::string& path);

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_EXIT_RECORD_H_
