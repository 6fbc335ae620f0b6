#include "runtime/isolation/cgroup_v1.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "runtime/isolation/cgroup_resources.h"
#include "runtime/isolation/cgroup_tree_v2.h"
#include "runtime/isolation/freezer.h"
#include "runtime/isolation/swap.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

std::string Below(const CgroupHierarchy& hierarchy, std::string_view path) {
  return absl::StrCat(hierarchy.mount_point, absl::string_view(path.data(), path.size()));
}

bool IsCpuTime(const CgroupWrite& write) {
  return write.file == "cpu.cfs_period_us" || write.file == "cpu.cfs_quota_us";
}

}  // namespace

std::string CgroupV1::Directory(std::string_view controller, std::string_view path) const {
  const CgroupHierarchy* hierarchy = facts_.FindV1(controller);
  return hierarchy == nullptr ? "" : Below(*hierarchy, path);
}

std::string CgroupV1::TreeDirectory(std::string_view path) const {
  return facts_.v2.has_value() ? Below(*facts_.v2, path) : "";
}

std::string CgroupV1::DirectoryOfFile(const std::string& file, std::string_view path) const {
  return Directory(file.substr(0, file.find('.')), path);
}

std::vector<std::string> CgroupV1::Directories(std::string_view path) const {
  std::vector<std::string> directories;
  for (const CgroupHierarchy& hierarchy : facts_.v1) directories.push_back(Below(hierarchy, path));
  if (facts_.v2.has_value()) directories.push_back(TreeDirectory(path));
  return directories;
}

// A new cpuset is empty, and no process can enter it then.
absl::Status CgroupV1::InheritCpuset(const std::string& path) {
  const std::string directory = Directory("cpuset", path);
  if (directory.empty()) return absl::OkStatus();
  const std::string parent = directory.substr(0, directory.rfind('/'));
  for (const char* file : {"cpuset.cpus", "cpuset.mems"}) {
    absl::StatusOr<std::string> own = ReadCgroupFile(directory, file);
    if (!own.ok()) return own.status();
    if (!absl::StripAsciiWhitespace(*own).empty()) continue;
    absl::StatusOr<std::string> inherited = ReadCgroupFile(parent, file);
    if (!inherited.ok()) return inherited.status();
    const std::string value(absl::StripAsciiWhitespace(*inherited));
    absl::Status status = WriteCgroupFile(directory, file, value);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> CgroupV1::CreateOne(const std::string& path) {
  bool any = false;
  for (const std::string& directory : Directories(path)) {
    absl::StatusOr<bool> made = MakeCgroupDirectory(directory);
    if (!made.ok()) return made;
    any = any || *made;
  }
  if (absl::Status status = InheritCpuset(path); !status.ok()) return status;
  return any;
}

absl::StatusOr<std::vector<std::string>> CgroupV1::Create(std::string_view path) {
  if (absl::Status status = CheckCgroupPath(path); !status.ok()) return status;
  std::vector<std::string> made;
  for (const std::string& one : PathAndParents(path)) {
    absl::StatusOr<bool> here = CreateOne(one);
    if (!here.ok()) return here.status();
    if (*here) made.push_back(one);
  }
  return made;
}

// The new period may be too small for the old quota or the new quota too large for the old period:
// one of the two orders is always accepted when the pair is.
absl::Status CgroupV1::WriteCpu(std::string_view path, std::vector<CgroupWrite> writes) {
  const std::string directory = Directory("cpu", path);
  absl::Status status = WriteCgroupFiles(directory, writes);
  if (status.ok() || writes.size() < 2) return status;
  std::reverse(writes.begin(), writes.end());
  return WriteCgroupFiles(directory, writes);
}

absl::Status CgroupV1::SetResources(std::string_view path, const spec::Resources& resources) {
  absl::StatusOr<std::vector<CgroupWrite>> writes = PlanWrites(path, resources);
  if (!writes.ok()) return writes.status();
  const auto others = std::stable_partition(writes->begin(), writes->end(), IsCpuTime);
  absl::Status status = WriteCpu(path, std::vector<CgroupWrite>(writes->begin(), others));
  if (!status.ok()) return status;
  for (auto it = others; it != writes->end(); ++it) {
    status = WriteCgroupFiles(DirectoryOfFile(it->file, path), {*it});
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<CgroupWrite>> CgroupV1::PlanLimits(
    std::string_view path, const spec::Resources& resources) const {
  absl::StatusOr<std::vector<CgroupWrite>> writes = PlanWrites(path, resources);
  if (!writes.ok()) return writes;
  for (CgroupWrite& write : *writes) {
    write.file = absl::StrCat(DirectoryOfFile(write.file, path), "/", write.file);
  }
  return writes;
}

absl::StatusOr<std::vector<CgroupWrite>> CgroupV1::PlanWrites(
    std::string_view path, const spec::Resources& resources) const {
  if (absl::Status status = CheckCgroupPath(path); !status.ok()) return status;
  CgroupState state;
  state.has_file = [&](const std::string& file) {
    const std::string directory = DirectoryOfFile(file, path);
    return !directory.empty() && CgroupFileExists(directory, file);
  };
  state.swap_in_use = IsSwapInUse();
  const std::string both =
      ReadCgroupFile(Directory("memory", path), "memory.memsw.limit_in_bytes").value_or("");
  if (!absl::SimpleAtoi(absl::StripAsciiWhitespace(both), &state.memory_and_swap)) {
    state.memory_and_swap = -1;
  }
  return PlanV1Writes(resources, state);
}

absl::Status CgroupV1::SetDevices(std::string_view path, const std::vector<DeviceRule>& rules) {
  if (absl::Status status = CheckCgroupPath(path); !status.ok()) return status;
  const std::string directory = Directory("devices", path);
  if (directory.empty()) {
    return absl::FailedPreconditionError("devices: the host has no devices controller");
  }
  absl::Status status = WriteCgroupFile(directory, "devices.deny", "a");
  if (!status.ok()) return status;
  for (const DeviceRule& rule : rules) {
    status = WriteCgroupFile(directory, "devices.allow", ToText(rule));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::set<std::string>> CgroupV1::ReadDevices(std::string_view path) const {
  if (absl::Status status = CheckCgroupPath(path); !status.ok()) return status;
  absl::StatusOr<std::string> list = ReadCgroupFile(Directory("devices", path), "devices.list");
  if (!list.ok()) return list.status();
  return absl::StrSplit(*list, '\n', absl::SkipEmpty());
}

// The kernel makes one rule of those for the same device, with the accesses in this order.
std::set<std::string> CgroupV1::PlanDevices(const std::vector<DeviceRule>& rules) const {
  std::map<std::tuple<char, int64_t, int64_t>, std::string> accesses;
  for (const DeviceRule& rule : rules) {
    accesses[{rule.type, rule.major, rule.minor}] += rule.access;
  }
  std::set<std::string> lines;
  for (const auto& [device, asked] : accesses) {
    std::string access;
    for (const char one : {'r', 'w', 'm'}) {
      if (absl::StrContains(asked, one)) access.push_back(one);
    }
    const auto& [type, major, minor] = device;
    lines.insert(ToText({.type = type, .major = major, .minor = minor, .access = access}));
  }
  return lines;
}

CgroupJoinPaths CgroupV1::JoinPaths(std::string_view path) const {
  CgroupJoinPaths paths;
  for (const CgroupHierarchy& hierarchy : facts_.v1) {
    paths.v1_tasks.push_back(absl::StrCat(Below(hierarchy, path), "/tasks"));
  }
  paths.v2_directory = TreeDirectory(path);
  return paths;
}

std::string CgroupV1::LeafDirectory(std::string_view leaf) const {
  return facts_.v2.has_value() ? TreeDirectory(leaf) : Directory("freezer", leaf);
}

std::string CgroupV1::ExecLeafEvents(std::string_view leaf) const {
  return facts_.v2.has_value() ? absl::StrCat(TreeDirectory(leaf), "/cgroup.events") : "";
}

CgroupJoinPaths CgroupV1::ExecJoinPaths(std::string_view container, std::string_view leaf) const {
  CgroupJoinPaths paths = JoinPaths(container);
  if (facts_.v2.has_value()) {
    paths.v2_directory = TreeDirectory(leaf);
    return paths;
  }
  const std::string old_tasks = absl::StrCat(Directory("freezer", container), "/tasks");
  std::replace(paths.v1_tasks.begin(), paths.v1_tasks.end(), old_tasks,
               absl::StrCat(Directory("freezer", leaf), "/tasks"));
  return paths;
}

std::string CgroupV1::OomEventsPath(std::string_view path) const {
  const std::string directory = Directory("memory", path);
  return directory.empty() ? "" : absl::StrCat(directory, "/memory.oom_control");
}

absl::Status CgroupV1::Kill(std::string_view path, absl::Time deadline) {
  if (absl::Status status = CheckCgroupPath(path); !status.ok()) return status;
  if (facts_.v2.has_value()) return KillTree(TreeDirectory(path), deadline);
  const std::string directory = Directory("freezer", path);
  if (!directory.empty()) return KillWithFreezer(directory, deadline);
  return absl::FailedPreconditionError("the host has neither a v2 tree nor the freezer");
}

absl::StatusOr<bool> CgroupV1::IsEmpty(std::string_view path) {
  if (absl::Status status = CheckCgroupPath(path); !status.ok()) return status;
  for (const std::string& directory : Directories(path)) {
    absl::StatusOr<std::vector<pid_t>> pids = ProcessesBelow(directory);
    if (!pids.ok()) return pids.status();
    if (!pids->empty()) return false;
  }
  return true;
}

absl::Status CgroupV1::Remove(std::string_view path, absl::Time deadline) {
  if (absl::Status status = CheckCgroupPath(path); !status.ok()) return status;
  if (facts_.v2.has_value()) {
    absl::Status status = AwaitEmpty(TreeDirectory(path), deadline);
    if (!status.ok()) return status;
  }
  for (const std::string& directory : Directories(path)) {
    absl::Status status = RemoveCgroupTree(directory);
    while (ErrnoOf(status) == EBUSY) {
      if (PollTimeout(deadline) == 0) return status;
      // v1 has no event for a cgroup that becomes empty: a process leaves it late in its exit.
      poll(nullptr, 0, 1);
      status = RemoveCgroupTree(directory);
    }
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status CgroupV1::Enter(std::string_view path) {
  if (absl::Status status = CheckCgroupPath(path); !status.ok()) return status;
  for (const std::string& directory : Directories(path)) {
    absl::Status status = WriteCgroupFile(directory, "cgroup.procs", "0");
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::isolation
