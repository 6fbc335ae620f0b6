#include "runtime/isolation/cgroup_join.h"

#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/file.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {

absl::StatusOr<int> PlannedFd(bool present, const plan::Fd& fd, std::span<const UniqueFd> fds) {
  if (!present) return -1;
  if (fd.index() >= fds.size() || !fds[fd.index()].valid()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the plan names descriptor ", fd.index(), " of ", fds.size()));
  }
  return fds[fd.index()].get();
}

absl::StatusOr<CgroupFds> PlannedCgroup(const plan::CgroupJoin& join,
                                        std::span<const UniqueFd> fds) {
  CgroupFds cgroup;
  for (const plan::Fd& tasks : join.v1_tasks()) {
    absl::StatusOr<int> fd = PlannedFd(true, tasks, fds);
    if (!fd.ok()) return fd.status();
    cgroup.v1_tasks.push_back(*fd);
  }
  absl::StatusOr<int> directory = PlannedFd(join.has_v2_directory(), join.v2_directory(), fds);
  if (!directory.ok()) return directory.status();
  cgroup.v2_directory = *directory;
  return cgroup;
}

Outcome JoinCgroupsInside(const std::vector<int>& v1_tasks) {
  for (const int tasks : v1_tasks) {
    if (Outcome outcome = FromResult(write(tasks, "0", 1), "tasks"); !outcome.ok()) return outcome;
  }
  return {};
}

absl::Status JoinCgroups(const CgroupFds& cgroup) {
  if (Outcome outcome = JoinCgroupsInside(cgroup.v1_tasks); !outcome.ok()) {
    return ErrnoStatus(outcome.error, "join a v1 cgroup");
  }
  if (cgroup.v2_directory < 0) return absl::OkStatus();
  return Annotate(WriteControlFile(cgroup.v2_directory, "cgroup.procs", "0"), "join the v2 cgroup");
}

}  // namespace bulkhead::isolation
