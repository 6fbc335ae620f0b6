// What every container's root has: default file systems, devices, links.
#ifndef BULKHEAD_RUNTIME_ISOLATION_DEFAULT_MOUNTS_H_
#define BULKHEAD_RUNTIME_ISOLATION_DEFAULT_MOUNTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "proto/plan.pb.h"
#include "runtime/spec/container.h"

namespace bulkhead::isolation {

// Whether one of the mounts is at `destination` itself.
bool IsMounted(const std::vector<spec::Mount>& mounts, const std::string& destination);

// The file systems below /dev and /sys, but for places that `mounts` replace. `terminal_group`, an
// id of the host, owns terminals.
void AddDefaultMounts(const std::vector<spec::Mount>& mounts, bool privileged,
                      uint32_t terminal_group, plan::RootPlan& plan);

// Devices that every container has (OCI runtime specification, config-linux.md "Default Devices"),
// and the links in /dev.
void AddDefaultDevices(plan::RootPlan& plan);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_DEFAULT_MOUNTS_H_
