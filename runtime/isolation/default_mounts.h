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

struct DefaultMountOptions {
  bool privileged = false;
  uint32_t terminal_group = 0;  // Owns terminals; an id of the host.
  std::string label;            // SelinuxLabels::mount.
};

// The file systems below /dev and /sys, but for places that `mounts` replace.
void AddDefaultMounts(const std::vector<spec::Mount>& mounts, const DefaultMountOptions& options,
                      plan::RootPlan& plan);

// Devices that every container has (OCI runtime specification, config-linux.md "Default Devices"),
// and the links in /dev.
void AddDefaultDevices(plan::RootPlan& plan);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_DEFAULT_MOUNTS_H_
