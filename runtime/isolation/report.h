// What a running process really has, read back from the kernel.
#ifndef BULKHEAD_RUNTIME_ISOLATION_REPORT_H_
#define BULKHEAD_RUNTIME_ISOLATION_REPORT_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "runtime/isolation/mount_report.h"

namespace bulkhead::isolation {

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
  pid_t own_pid = 0;  // In the process' own PID namespace.

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
  uint64_t open_files_hard = 0;  // RLIMIT_NOFILE; UINT64_MAX: none.
  // CgroupManager::ReadDevices of its cgroup; not read by ReadIsolation.
  std::set<std::string> devices;
  std::vector<MountReport> mounts;
  // Of the asked paths those that are there, and of the asked files their contents.
  std::map<std::string, Place> places;
  std::map<std::string, std::string> files;
};

// What to read besides.
struct ReportRequest {
  std::vector<std::string> paths;  // In the container; one that is a mount's destination is not
                                   // looked up, as the list of mounts tells of it,
  std::set<std::string> sources;   // unless it is one of these, on a local file system, of which
                                   // more is asked.
  std::vector<std::string> files;  // On the host, such as those of cgroups.
};

// Reads the process `pid` of the host's PID namespace. NOT_FOUND when it has ended meanwhile;
// FAILED_PRECONDITION when its cgroup is not one of `container_id`'s, so that a pid that was
// given to another process is never reported as the container's.
absl::StatusOr<IsolationReport> ReadIsolation(pid_t pid, std::string_view container_id,
                                              const ReportRequest& request = {});

nlohmann::json ToJson(const IsolationReport& report);

// From the texts of /proc files; pure functions.
CredentialsReport ParseCredentials(std::string_view status);
uint64_t ParseOpenFilesHard(std::string_view limits);

// As libcap names them, in the order of their numbers.
std::vector<std::string> CapabilityNames(uint64_t mask);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_REPORT_H_
