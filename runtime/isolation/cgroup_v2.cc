#include "runtime/isolation/cgroup_v2.h"

#include <poll.h>

#include <cerrno>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "runtime/isolation/cgroup_files.h"
#include "runtime/isolation/cgroup_resources.h"
#include "runtime/isolation/cgroup_tree_v2.h"
#include "runtime/isolation/device_filter.h"
#include "runtime/isolation/swap.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

absl::StatusOr<std::vector<std::string>> ReadNames(const std::string& directory,
                                                   const std::string& file) {
  absl::StatusOr<std::string> text = ReadCgroupFile(directory, file);
  if (!text.ok()) return text.status();
  return std::vector<std::string>(
      absl::StrSplit(absl::StripAsciiWhitespace(*text), ' ', absl::SkipEmpty()));
}

// Whether it is not the root and has processes of its own, as the daemon's cgroup has.
absl::StatusOr<bool> HasOwnProcesses(const std::string& directory) {
  if (!CgroupFileExists(directory, "cgroup.type")) return false;
  absl::StatusOr<std::string> pids = ReadCgroupFile(directory, "cgroup.procs");
  if (!pids.ok()) return pids.status();
  return !pids->empty();
}

// Offers all controllers of `directory` to its children. Where that cannot be, they are left: a
// limit that needs one is refused later, by name. With processes in the cgroup it must not even be
// tried: threaded controllers could be enabled, and would make the children "domain invalid", which
// no process can enter (cgroup-v2.rst, "Threads").
absl::Status EnableControllers(const std::string& directory) {
  absl::StatusOr<bool> inhabited = HasOwnProcesses(directory);
  if (!inhabited.ok()) return inhabited.status();
  if (*inhabited) return absl::OkStatus();
  absl::StatusOr<std::vector<std::string>> offered = ReadNames(directory, "cgroup.controllers");
  if (!offered.ok()) return offered.status();
  absl::StatusOr<std::vector<std::string>> enabled = ReadNames(directory, "cgroup.subtree_control");
  if (!enabled.ok()) return enabled.status();
  for (const std::string& controller : *offered) {
    if (absl::c_linear_search(*enabled, controller)) continue;
    absl::Status status =
        WriteCgroupFile(directory, "cgroup.subtree_control", absl::StrCat("+", controller));
    const int error = ErrnoOf(status);
    if (!status.ok() && error != EBUSY && error != ENOTSUP && error != EINVAL) return status;
  }
  return absl::OkStatus();
}

// A cgroup beside or below threaded ones has no place for processes: clone3(2) would fail with no
// more than EOPNOTSUPP.
absl::Status CheckDomain(const std::string& directory) {
  const absl::StatusOr<std::string> type = ReadCgroupFile(directory, "cgroup.type");
  if (!type.ok()) return type.status();
  const absl::string_view found = absl::StripAsciiWhitespace(*type);
  if (found == "domain" || found == "domain threaded") return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      directory, " is \"", found, "\", as its parent is used for threads (cgroup.type)"));
}

}  // namespace

std::string CgroupV2::Directory(std::string_view path) const {
  return absl::StrCat(tree_.mount_point, absl::string_view(path.data(), path.size()));
}

absl::StatusOr<std::vector<std::string>> CgroupV2::Create(std::string_view path) {
  if (absl::Status status = CheckCgroupPath(path); !status.ok()) return status;
  std::vector<std::string> made;
  std::string parent = tree_.mount_point;
  for (const std::string& one : PathAndParents(path)) {
    if (absl::Status status = EnableControllers(parent); !status.ok()) return status;
    parent = Directory(one);
    absl::StatusOr<bool> here = MakeCgroupDirectory(parent);
    if (!here.ok()) return here.status();
    if (*here) made.push_back(one);
  }
  if (absl::Status status = CheckDomain(parent); !status.ok()) return status;
  return made;
}

absl::Status CgroupV2::SetResources(std::string_view path, const spec::Resources& resources) {
  if (absl::Status status = CheckCgroupPath(path); !status.ok()) return status;
  const std::string directory = Directory(path);
  absl::StatusOr<std::vector<CgroupWrite>> writes = PlanWrites(directory, resources);
  if (!writes.ok()) return writes.status();
  return WriteCgroupFiles(directory, *writes);
}

absl::StatusOr<std::vector<CgroupWrite>> CgroupV2::PlanWrites(
    const std::string& directory, const spec::Resources& resources) const {
  CgroupState state;
  state.has_file = [&](const std::string& file) { return CgroupFileExists(directory, file); };
  state.swap_in_use = IsSwapInUse();
  state.cpu_max = ReadCgroupFile(directory, "cpu.max").value_or("");
  return PlanV2Writes(resources, state);
}

absl::StatusOr<std::vector<CgroupWrite>> CgroupV2::PlanLimits(
    std::string_view path, const spec::Resources& resources) const {
  if (absl::Status status = CheckCgroupPath(path); !status.ok()) return status;
  const std::string directory = Directory(path);
  absl::StatusOr<std::vector<CgroupWrite>> writes = PlanWrites(directory, resources);
  if (!writes.ok()) return writes;
  for (CgroupWrite& write : *writes) write.file = absl::StrCat(directory, "/", write.file);
  return writes;
}

absl::Status CgroupV2::SetDevices(std::string_view path, const std::vector<DeviceRule>& rules) {
  if (absl::Status status = CheckCgroupPath(path); !status.ok()) return status;
  return Annotate(AttachDeviceFilter(Directory(path), rules), "devices");
}

absl::StatusOr<std::set<std::string>> CgroupV2::ReadDevices(std::string_view path) const {
  if (absl::Status status = CheckCgroupPath(path); !status.ok()) return status;
  absl::StatusOr<bool> filtered = HasDeviceFilter(Directory(path));
  if (!filtered.ok()) return Annotate(filtered.status(), "devices");
  return *filtered ? PlanDevices({}) : std::set<std::string>();
}

std::set<std::string> CgroupV2::PlanDevices(const std::vector<DeviceRule>&) const {
  return {"filter"};
}

CgroupJoinPaths CgroupV2::JoinPaths(std::string_view path) const {
  return {.v2_directory = Directory(path)};
}

std::string CgroupV2::LeafDirectory(std::string_view leaf) const { return Directory(leaf); }

std::string CgroupV2::ExecLeafEvents(std::string_view leaf) const {
  return absl::StrCat(Directory(leaf), "/cgroup.events");
}

CgroupJoinPaths CgroupV2::ExecJoinPaths(std::string_view, std::string_view leaf) const {
  return JoinPaths(leaf);
}

std::string CgroupV2::OomEventsPath(std::string_view path) const {
  const std::string directory = Directory(path);
  if (!CgroupFileExists(directory, "memory.events")) return "";
  return absl::StrCat(directory, "/memory.events");
}

absl::Status CgroupV2::Kill(std::string_view path, absl::Time deadline) {
  if (absl::Status status = CheckCgroupPath(path); !status.ok()) return status;
  return KillTree(Directory(path), deadline);
}

absl::StatusOr<bool> CgroupV2::IsEmpty(std::string_view path) {
  if (absl::Status status = CheckCgroupPath(path); !status.ok()) return status;
  absl::StatusOr<bool> populated = IsPopulated(Directory(path));
  if (!populated.ok()) return populated.status();
  return !*populated;
}

absl::Status CgroupV2::Remove(std::string_view path, absl::Time deadline) {
  if (absl::Status status = CheckCgroupPath(path); !status.ok()) return status;
  const std::string directory = Directory(path);
  while (true) {
    if (absl::Status status = AwaitEmpty(directory, deadline); !status.ok()) return status;
    absl::Status status = RemoveCgroupTree(directory);
    if (ErrnoOf(status) != EBUSY || PollTimeout(deadline) == 0) return status;
    // Empty but busy for a moment: a cgroup is told to be empty before its last process let it go.
    poll(nullptr, 0, 1);
  }
}

absl::Status CgroupV2::Enter(std::string_view path) {
  if (absl::Status status = CheckCgroupPath(path); !status.ok()) return status;
  return WriteCgroupFile(Directory(path), "cgroup.procs", "0");
}

}  // namespace bulkhead::isolation
