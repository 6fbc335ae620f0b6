// The cgroup file systems, below the managers of v1 and v2; knows no policy.
#ifndef BULKHEAD_RUNTIME_ISOLATION_CGROUP_FILES_H_
#define BULKHEAD_RUNTIME_ISOLATION_CGROUP_FILES_H_

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace bulkhead::isolation {

// A write to one file of a cgroup, and the field that asked for it, for errors.
struct CgroupWrite {
  std::string file;
  std::string value;
  std::string field;

  bool operator==(const CgroupWrite&) const = default;
};

// INVALID_ARGUMENT unless it is absolute and without "..", NUL or newline.
absl::Status CheckCgroupPath(std::string_view path);

// "/a/b/c" as {"/a", "/a/b", "/a/b/c"}.
std::vector<std::string> PathAndParents(std::string_view path);

// Whether it had to be made.
absl::StatusOr<bool> MakeCgroupDirectory(const std::string& directory);

bool CgroupFileExists(const std::string& directory, const std::string& file);
absl::StatusOr<std::string> ReadCgroupFile(const std::string& directory, const std::string& file);
absl::Status WriteCgroupFile(const std::string& directory, const std::string& file,
                             std::string_view value);

// Writes in order; INVALID_ARGUMENT naming the field for a value that the kernel refuses.
absl::Status WriteCgroupFiles(const std::string& directory, const std::vector<CgroupWrite>& writes);

// The processes in the cgroup and all below; none when it does not exist.
absl::StatusOr<std::vector<pid_t>> ProcessesBelow(const std::string& directory);

// The names of those directly below.
std::vector<std::string> ChildrenOfCgroup(const std::string& directory);
// Removes the cgroup with those below. OK when it does not exist; FAILED_PRECONDITION (EBUSY) when
// a process is in one.
absl::Status RemoveCgroupTree(const std::string& directory);

// Milliseconds for poll(2) until `deadline`, 0 when it is over; at most a minute.
int PollTimeout(absl::Time deadline);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_CGROUP_FILES_H_
