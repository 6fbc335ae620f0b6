// What a running process really has, read back from the kernel.
#ifndef BULKHEAD_RUNTIME_ISOLATION_REPORT_H_
#define BULKHEAD_RUNTIME_ISOLATION_REPORT_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace bulkhead::isolation {

// One line of mountinfo (proc_pid_mountinfo(5)).
struct MountReport {
  std::string destination;
  std::string type;
  std::string options;
  // "private", "shared:N", "master:N" or both.
  std::string propagation;

  bool operator==(const MountReport&) const = default;
};

// The fields of /proc/PID/status that tell of isolation.
struct CredentialsReport {
  uint32_t uid = 0;  // Effective.
  uint32_t gid = 0;
  std::vector<uint32_t> groups;
  // Sets as bit masks: "bounding", "effective", "permitted", "inheritable", "ambient".
  std::map<std::string, uint64_t> capabilities;
  bool no_new_privs = false;
  // seccomp(2): 0 disabled, 1 strict, 2 filter.
  int seccomp_mode = 0;
  int seccomp_filters = 0;

  bool operator==(const CredentialsReport&) const = default;
};

struct NamespaceReport {
  std::string type;  // "net", "pid" …
  uint64_t inode = 0;
  bool shared_with_host = false;

  bool operator==(const NamespaceReport&) const = default;
};

struct IsolationReport {
  pid_t pid = 0;
  std::vector<NamespaceReport> namespaces;
  std::string uid_map;
  std::string gid_map;
  CredentialsReport credentials;
  // /proc/PID/attr/current; empty without an LSM that labels processes.
  std::string lsm_label;
  // As /proc/PID/cgroup has them.
  std::vector<std::string> cgroups;
  int oom_score_adj = 0;
  std::vector<MountReport> mounts;
};

// Reads the process `pid` of the host's PID namespace. NOT_FOUND when it has ended meanwhile;
// FAILED_PRECONDITION when its cgroup is not one of `container_id`'s, so that a pid that was
// given to another process is never reported as the container's.
absl::StatusOr<IsolationReport> ReadIsolation(pid_t pid, std::string_view container_id);

nlohmann::json ToJson(const IsolationReport& report);

// From the texts of /proc files; pure functions.
CredentialsReport ParseCredentials(std::string_view status);
std::vector<MountReport> ParseMounts(std::string_view mountinfo);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_REPORT_H_
