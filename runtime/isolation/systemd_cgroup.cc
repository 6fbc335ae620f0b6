#include "runtime/isolation/systemd_cgroup.h"

#include <mutex>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

// What the kernel does of itself, so that a scope is not ended, and what it counts as.
UnitProperty OomPolicy(bool whole_group) {
  return {"OOMPolicy", std::string(whole_group ? "kill" : "continue")};
}

// systemd writes memory.oom.group by this, and takes it at a scope's start only.
bool AsksForOomGroup(const spec::Resources& resources) {
  const auto entry = resources.unified.find("memory.oom.group");
  return entry != resources.unified.end() && absl::StripAsciiWhitespace(entry->second) == "1";
}

}  // namespace

SystemdCgroups::SystemdCgroups(std::unique_ptr<CgroupManager> files,
                               std::unique_ptr<UnitManager> units,
                               StartPlaceHolder start_place_holder)
    : files_(std::move(files)),
      units_(std::move(units)),
      start_place_holder_(std::move(start_place_holder)) {}

absl::StatusOr<std::vector<std::string>> SystemdCgroups::Create(std::string_view path) {
  return files_->Create(path);
}

absl::StatusOr<std::unique_ptr<CgroupHold>> SystemdCgroups::CreateLimited(
    std::string_view path, const spec::Resources& resources) {
  if (ScopeOf(path).empty()) return files_->CreateLimited(path, resources);
  absl::StatusOr<std::unique_ptr<PlaceHolder>> holder = start_place_holder_();
  if (!holder.ok()) return Annotate(holder.status(), "start the first process of a scope");
  {
    const std::shared_lock lock(slices_);
    absl::Status started = StartScope(path, resources, (*holder)->pid());
    if (!started.ok()) return started;
  }
  // Limits that systemd has no property for, or rounds; and controllers that it does not know.
  const auto limited = files_->CreateLimited(path, resources);
  if (!limited.ok()) return limited.status();
  return *std::move(holder);
}

absl::Status SystemdCgroups::StartScope(std::string_view path, const spec::Resources& resources,
                                        pid_t pid) {
  std::vector<UnitProperty> properties = ScopeProperties(path, pid);
  absl::StatusOr<std::vector<UnitProperty>> limits = ResourceProperties(resources);
  if (!limits.ok()) return limits.status();
  properties.insert(properties.end(), limits->begin(), limits->end());
  const std::string scope = ScopeOf(path);
  properties.push_back(OomPolicy(AsksForOomGroup(resources)));
  absl::Status started = units_->StartTransient(scope, properties);
  // Before systemd 253 a scope has no such policy, and systemd leaves memory.oom.group alone.
  if (!absl::IsUnimplemented(started)) return started;
  properties.pop_back();
  return units_->StartTransient(scope, properties);
}

absl::Status SystemdCgroups::SetResources(std::string_view path, const spec::Resources& resources) {
  const std::string scope = ScopeOf(path);
  if (scope.empty()) return files_->SetResources(path, resources);
  absl::StatusOr<std::vector<UnitProperty>> properties = ResourceProperties(resources);
  if (!properties.ok()) return properties.status();
  // The files first: they tell what the kernel refuses. And last: systemd has rounded some.
  absl::Status status = files_->SetResources(path, resources);
  if (!status.ok() || properties->empty()) return status;
  status = units_->SetProperties(scope, *properties);
  return status.ok() ? files_->SetResources(path, resources) : status;
}

absl::Status SystemdCgroups::SetDevices(std::string_view path,
                                        const std::vector<DeviceRule>& rules) {
  // Unknown to systemd, whose DevicePolicy=auto then attaches and detaches nothing of its own.
  return files_->SetDevices(path, rules);
}

absl::StatusOr<std::set<std::string>> SystemdCgroups::ReadDevices(std::string_view path) const {
  return files_->ReadDevices(path);
}

std::set<std::string> SystemdCgroups::PlanDevices(const std::vector<DeviceRule>& rules) const {
  return files_->PlanDevices(rules);
}

absl::StatusOr<std::vector<CgroupWrite>> SystemdCgroups::PlanLimits(
    std::string_view path, const spec::Resources& resources) const {
  return files_->PlanLimits(path, resources);
}

CgroupJoinPaths SystemdCgroups::JoinPaths(std::string_view path) const {
  return files_->JoinPaths(path);
}

std::string SystemdCgroups::LeafDirectory(std::string_view leaf) const {
  return files_->LeafDirectory(leaf);
}

std::string SystemdCgroups::ExecLeafEvents(std::string_view leaf) const {
  return files_->ExecLeafEvents(leaf);
}

CgroupJoinPaths SystemdCgroups::ExecJoinPaths(std::string_view container,
                                              std::string_view leaf) const {
  return files_->ExecJoinPaths(container, leaf);
}

std::string SystemdCgroups::OomEventsPath(std::string_view path) const {
  return files_->OomEventsPath(path);
}

std::string SystemdCgroups::PodOomEventsPath(std::string_view path) const {
  if (ScopeOf(path).empty()) return "";
  return files_->OomEventsPath(path.substr(0, path.rfind('/')));
}

absl::Status SystemdCgroups::Kill(std::string_view path, absl::Time deadline) {
  return files_->Kill(path, deadline);
}

absl::StatusOr<bool> SystemdCgroups::IsEmpty(std::string_view path) {
  return files_->IsEmpty(path);
}

absl::Status SystemdCgroups::Remove(std::string_view path, absl::Time deadline) {
  // Once it is empty systemd may be quicker; its own hierarchies are not all there are.
  if (absl::Status status = files_->Remove(path, deadline); !status.ok()) return status;
  if (const std::string slice = SliceOf(path); !slice.empty()) return StopSlice(path, slice);
  const std::string scope = ScopeOf(path);
  return scope.empty() ? absl::OkStatus() : units_->Stop(scope);
}

absl::Status SystemdCgroups::StopSlice(std::string_view path, const std::string& slice) {
  const std::unique_lock lock(slices_);
  const absl::StatusOr<bool> empty = files_->IsEmpty(path);
  if (!empty.ok()) return empty.status();
  // In use again, by another pod, who removes it.
  if (!*empty) return absl::OkStatus();
  return units_->Stop(slice);
}

absl::Status SystemdCgroups::Enter(std::string_view path) { return files_->Enter(path); }

}  // namespace bulkhead::isolation
