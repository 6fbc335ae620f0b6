#include "runtime/isolation/cgroup.h"

#include <cerrno>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/isolation/cgroup_files.h"
#include "runtime/isolation/cgroup_v1.h"
#include "runtime/isolation/cgroup_v2.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

constexpr char kLeafPrefix[] = "exec-";

// A container that may write to its cgroup can have made others in it.
bool IsLeafName(const std::string& name) {
  return absl::StartsWith(name, kLeafPrefix) && name.size() > sizeof(kLeafPrefix) - 1 &&
         name.find_first_not_of("0123456789abcdef", sizeof(kLeafPrefix) - 1) == std::string::npos;
}

}  // namespace

std::string ToText(const DeviceRule& rule) {
  const auto number = [](int64_t value) { return value < 0 ? "*" : absl::StrCat(value); };
  return absl::StrCat(std::string(1, rule.type), " ", number(rule.major), ":", number(rule.minor),
                      " ", rule.access);
}

plan::CgroupJoin PlanCgroupJoin(const CgroupJoinPaths& paths, DescriptorList& descriptors) {
  plan::CgroupJoin join;
  for (const std::string& tasks : paths.v1_tasks) {
    *join.add_v1_tasks() = descriptors.Add(DescriptorRequest::Kind::kWriteOnly, tasks);
  }
  if (!paths.v2_directory.empty()) {
    *join.mutable_v2_directory() =
        descriptors.Add(DescriptorRequest::Kind::kReadOnly, paths.v2_directory);
  }
  return join;
}

absl::StatusOr<std::string> CgroupManager::CreateExecLeaf(std::string_view container,
                                                          std::string_view name) {
  const std::string leaf =
      absl::StrCat(std::string(container), "/", kLeafPrefix, std::string(name));
  if (absl::Status status = CheckCgroupPath(leaf); !status.ok()) return status;
  const std::string directory = LeafDirectory(leaf);
  if (directory.empty()) {
    return absl::FailedPreconditionError("the host has neither a v2 tree nor the freezer");
  }
  const absl::StatusOr<bool> made = MakeCgroupDirectory(directory);
  if (!made.ok()) return made.status();
  return leaf;
}

std::vector<std::string> CgroupManager::ExecLeavesOf(std::string_view container) const {
  std::vector<std::string> leaves;
  if (!CheckCgroupPath(container).ok()) return leaves;
  for (const std::string& name : ChildrenOfCgroup(LeafDirectory(container))) {
    if (IsLeafName(name)) leaves.push_back(absl::StrCat(std::string(container), "/", name));
  }
  return leaves;
}

absl::StatusOr<bool> CgroupManager::RemoveExecLeaf(std::string_view leaf) {
  if (absl::Status status = CheckCgroupPath(leaf); !status.ok()) return status;
  const absl::Status removed = RemoveCgroupTree(LeafDirectory(leaf));
  if (ErrnoOf(removed) == EBUSY) return false;
  if (!removed.ok()) return removed;
  return true;
}

std::unique_ptr<CgroupManager> CgroupManager::ForHost(const HostFacts& facts) {
  if (facts.cgroup.layout == CgroupLayout::kV2 && facts.cgroup.v2.has_value()) {
    return std::make_unique<CgroupV2>(*facts.cgroup.v2);
  }
  return std::make_unique<CgroupV1>(facts.cgroup);
}

absl::StatusOr<std::unique_ptr<CgroupHold>> CgroupManager::CreateLimited(
    std::string_view path, const spec::Resources& resources) {
  const auto made = Create(path);
  if (!made.ok()) return made.status();
  const absl::Status limited = SetResources(path, resources);
  if (!limited.ok()) return limited;
  return nullptr;
}

}  // namespace bulkhead::isolation
