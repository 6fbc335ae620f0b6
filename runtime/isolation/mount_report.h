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
  uint64_t parent = 0;
  std::string root;  // What of its file system is mounted.
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
  // stat(2); 0: not looked up.
  uint64_t device = 0;
  uint64_t inode = 0;

  bool operator==(const Place&) const = default;
};

// From the text of mountinfo.
std::vector<MountReport> ParseMounts(std::string_view mountinfo);

// The mount that is made at a path without links and that nothing hides, or null.
const MountReport* FindMount(const std::vector<MountReport>& mounts, std::string_view path);

// Looks paths up as a process would whose root directory is `root`. One that is not there is left
// out; one that cannot be reached is no mount. The file systems on the way may be the container's.
std::map<std::string, Place> FindPlaces(int root, const std::vector<std::string>& paths);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_MOUNT_REPORT_H_
