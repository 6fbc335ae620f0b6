#ifndef BULKHEAD_RUNTIME_SPEC_CONTAINER_H_
#define BULKHEAD_RUNTIME_SPEC_CONTAINER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/spec/resources.h"
#include "runtime/spec/security.h"

namespace bulkhead::spec {

struct ContainerMetadata {
  std::string name;
  uint32_t attempt = 0;

  bool operator==(const ContainerMetadata&) const = default;
};

// CRI MountPropagation.
enum class MountPropagation { kPrivate, kHostToContainer, kBidirectional };

struct Mount {
  std::string container_path;
  // On the host, symbolic links followed there; empty for an image volume.
  std::string host_path;
  bool readonly = false;
  bool recursive_read_only = false;
  bool selinux_relabel = false;
  MountPropagation propagation = MountPropagation::kPrivate;
  // Both or none: the maps of the mount's ids, those of the pod's user namespace.
  std::vector<IdRange> uid_map;
  std::vector<IdRange> gid_map;
  // The image of an image volume.
  std::string image;
  std::string image_sub_path;
  // Of the mount itself, not of those below it. The CRI has no fields for them; CDI has.
  bool nosuid = false;
  bool nodev = false;
  bool noexec = false;

  bool operator==(const Mount&) const = default;
};

struct Device {
  std::string container_path;
  std::string host_path;
  // Any of "r", "w", "m".
  std::string permissions;
  // What the CRI has no fields for, but CDI has; absent: as the node on the host. With all three of
  // the number there need not be one.
  std::optional<uint32_t> type;  // S_IFCHR or S_IFBLK.
  std::optional<uint32_t> major;
  std::optional<uint32_t> minor;
  std::optional<uint32_t> file_mode;
  std::optional<int64_t> uid;  // In the container.
  std::optional<int64_t> gid;

  bool operator==(const Device&) const = default;
};

// A createContainer hook of the OCI runtime specification. The CRI has none; CDI has.
struct Hook {
  std::string path;               // On the host.
  std::vector<std::string> args;  // The first is the program's name.
  // NAME=value, and nothing else. Values may be secret.
  std::vector<std::string> env;
  std::optional<uint32_t> timeout;  // Seconds.

  bool operator==(const Hook&) const = default;
};

// CRI ContainerConfig with its LinuxContainerConfig.
struct ContainerSpec {
  ContainerMetadata metadata;
  // What the user wrote, and what it was resolved to.
  std::string user_image;
  std::string image;
  std::vector<std::string> command;  // Replaces the image's entrypoint.
  std::vector<std::string> args;     // Replaces the image's cmd.
  std::string working_dir;
  // Values are secret: never printed.
  std::vector<std::pair<std::string, std::string>> env;
  std::vector<Mount> mounts;
  std::vector<Device> devices;
  // "vendor/class=device". What they need is among the other members once they are resolved.
  std::vector<std::string> cdi_devices;
  std::vector<Hook> hooks;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;
  // Relative to the pod's log directory.
  std::string log_path;
  bool stdin = false;
  bool stdin_once = false;
  bool tty = false;
  // A name such as "SIGTERM"; empty: the image's, else SIGTERM.
  std::string stop_signal;
  Resources resources;
  SecurityContext security;

  bool operator==(const ContainerSpec&) const = default;
};

}  // namespace bulkhead::spec

#endif  // BULKHEAD_RUNTIME_SPEC_CONTAINER_H_
