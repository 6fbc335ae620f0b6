#ifndef BULKHEAD_SHIM_PODS_SECCOMP_FILE_H_
#define BULKHEAD_SHIM_PODS_SECCOMP_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/plan.pb.h"

namespace bulkhead::pods {

// The filter that a container was launched with, kept beside its pod's record: a later exec gets
// the same one, though the profile's file has changed since, or the daemon's default profile.
absl::Status WriteSeccompFile(const std::string& path, const plan::SeccompPlan& plan);

// DATA_LOSS for one that is not there or does not parse: an exec must not run without it.
absl::StatusOr<plan::SeccompPlan> ReadSeccompFile(const std::string& path);

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_SECCOMP_FILE_H_
