// Volumes as plans have them.
#ifndef BULKHEAD_RUNTIME_ISOLATION_PLAN_VOLUMES_H_
#define BULKHEAD_RUNTIME_ISOLATION_PLAN_VOLUMES_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "proto/plan.pb.h"
#include "runtime/isolation/descriptors.h"
#include "runtime/isolation/volumes.h"
#include "runtime/spec/container.h"

namespace bulkhead::isolation {

// Whether the destination is below /proc, or at or below /sys/fs/cgroup.
bool IsLateDestination(const std::string& path);

// The plan's mount of volume `number`. INVALID_ARGUMENT naming mounts[number] and the field.
absl::StatusOr<plan::Mount> PlanVolume(const spec::Mount& mount, const VolumeFacts& facts,
                                       size_t number, const spec::NamespaceOptions& pod,
                                       DescriptorList& descriptors);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_PLAN_VOLUMES_H_
