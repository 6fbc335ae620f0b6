#ifndef BULKHEAD_RUNTIME_ISOLATION_PLAN_POD_H_
#define BULKHEAD_RUNTIME_ISOLATION_PLAN_POD_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "proto/plan.pb.h"
#include "runtime/isolation/cgroup.h"
#include "runtime/isolation/descriptors.h"
#include "runtime/isolation/host_facts.h"
#include "runtime/isolation/selinux.h"
#include "runtime/spec/pod.h"

namespace bulkhead::isolation {

struct PodInput {
  const spec::PodSpec& spec;
  const HostFacts& host;
  // Where the pod's network namespace is pinned; empty with host network.
  std::string network_namespace;
  // Where the PID 1 of a shared PID namespace belongs.
  CgroupJoinPaths pid1_cgroup;
  // A leaf of the daemon's own cgroup.
  CgroupJoinPaths supervisor_cgroup;
  uint64_t shm_size = 64 << 20;  // Bytes.
  PodSelinux selinux;
};

struct PlannedPod {
  plan::PodPlan plan;
  DescriptorList descriptors;
};

// A pod with a user namespace of its own needs three given descriptors: it, and the IPC and UTS
// namespaces that it owns (OwnedNamespaces); its network namespace must be owned by it, too.
// INVALID_ARGUMENT naming the field: a sysctl that is not of the pod's own namespaces, a
// hostname that the kernel would refuse.
absl::StatusOr<PlannedPod> PlanPod(const PodInput& input);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_PLAN_POD_H_
