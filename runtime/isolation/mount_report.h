// The mounts of a running process, read back from the kernel.
#ifndef BULKHEAD_RUNTIME_ISOLATION_MOUNT_REPORT_H_
#define BULKHEAD_RUNTIME_ISOLATION_MOUNT_REPORT_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead::isolation {

// One line of mountinfo (proc_pid_mountinfo(5)).
struct MountReport {
  uint64_t id = 0;
  std::string destination;
  std::string type;
  std::string options;
  // "private", "shared:N", "master:N" or both.
  std::string propagation;

  bool operator==(const MountReport&) const = default;
};

// What lies at a path of a container.
struct Place {
  uint64_t mount_id = 0;
  bool is_mount = false;  // The path is where that mount was made.

  bool operator==(const Place&) const = default;
};

// From the text of mountinfo, in its order: of two mounts at a destination the later one is seen.
std::vector<MountReport> ParseMounts(std::string_view mountinfo);

// The mount that is seen at a destination, or null.
const MountReport* FindMount(const std::vector<MountReport>& mounts, std::string_view destination);

// Looks paths up as a process would whose root directory is `root`; one that is not there, or
// cannot be reached, is left out. The file systems on the way may be the container's own.
std::map<std::string, Place> FindPlaces(int root, const std::vector<std::string>& paths);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_MOUNT_REPORT_H_
