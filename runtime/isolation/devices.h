// Device nodes and who may use them.
#ifndef BULKHEAD_RUNTIME_ISOLATION_DEVICES_H_
#define BULKHEAD_RUNTIME_ISOLATION_DEVICES_H_

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/isolation/cgroup.h"
#include "runtime/spec/container.h"

namespace bulkhead::isolation {

// A device of the host as a container gets it.
struct HostDevice {
  std::string container_path;
  mode_t mode = 0;  // S_IFCHR or S_IFBLK together with the permission bits.
  uint32_t major = 0;
  uint32_t minor = 0;
  uint32_t uid = 0;
  uint32_t gid = 0;
  // In place of the host's owner: ids within the container.
  std::optional<uint32_t> container_uid;
  std::optional<uint32_t> container_gid;
  std::string permissions;  // Any of "r", "w", "m".

  bool operator==(const HostDevice&) const = default;
};

// Looks the spec's devices up on the host; a directory stands for the devices in it. A
// privileged container gets all of /dev. INVALID_ARGUMENT or NOT_FOUND naming devices[i]. Reads
// the host; runs in the daemon.
absl::StatusOr<std::vector<HostDevice>> FindDevices(const spec::ContainerSpec& spec);

// The allowlist of a container that is not privileged: the default devices, terminals, making
// any node (mknod), and its own devices.
std::vector<DeviceRule> PlanDeviceRules(const std::vector<HostDevice>& devices);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_DEVICES_H_
