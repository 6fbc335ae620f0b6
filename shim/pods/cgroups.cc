#include "shim/pods/cgroups.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "runtime/isolation/systemd_units.h"

namespace bulkhead::pods {

namespace {

absl::Status InvalidParent(const std::string& parent, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat("linux.cgroup_parent \"", parent, "\" ", why));
}

// The kubelet sends the name alone or, as others do, with the slices that it is in.
absl::StatusOr<std::string> PodSlice(const std::string& parent) {
  const std::string name = parent.substr(parent.rfind('/') + 1);
  const absl::StatusOr<std::string> path = isolation::SlicePath(name);
  if (!path.ok()) {
    return InvalidParent(parent, "is no systemd slice, which cgroup.driver \"systemd\" needs");
  }
  if (parent != name && parent != *path) {
    return InvalidParent(parent, absl::StrCat("is not where systemd puts ", name, ", ", *path));
  }
  return path;
}

}  // namespace

absl::StatusOr<std::string> PodCgroup(const spec::PodSpec& spec, const std::string& pod_id,
                                      const CgroupParents& parents) {
  if (spec.cgroup_parent.empty()) {
    const std::string own = absl::StrCat(parents.unnamed, "/", pod_id);
    return parents.are_slices ? isolation::SlicePath(isolation::SliceOfCgroup(own)) : own;
  }
  if (parents.are_slices) return PodSlice(spec.cgroup_parent);
  const std::vector<std::string> parts = absl::StrSplit(spec.cgroup_parent, '/', absl::SkipEmpty());
  const bool climbs = std::any_of(parts.begin(), parts.end(), [](const std::string& part) {
    return part == ".." || part == ".";
  });
  if (parts.empty() || climbs) return InvalidParent(spec.cgroup_parent, "is not a cgroup's path");
  if (!isolation::SliceOf(parts.back()).empty()) {
    return InvalidParent(spec.cgroup_parent,
                         "is a systemd slice, and cgroup.driver is \"cgroupfs\": the kubelet's "
                         "cgroupDriver has to be the same");
  }
  std::string path;
  for (const std::string& part : parts) absl::StrAppend(&path, "/", part);
  return path;
}

std::string CgroupBelow(const std::string& pod_cgroup, const std::string& id) {
  const bool slice = !isolation::SliceOf(pod_cgroup).empty();
  return absl::StrCat(pod_cgroup, "/", slice ? isolation::ScopeName(id) : id);
}

std::vector<std::string> CgroupAndParents(const std::string& path) {
  std::vector<std::string> paths;
  for (size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    paths.push_back(path.substr(0, slash));
  }
  paths.push_back(path);
  return paths;
}

void CgroupClaims::Claim(const std::string& pod_id, const std::vector<std::string>& paths) {
  const std::lock_guard lock(mutex_);
  for (const std::string& path : paths) pods_by_path_[path].insert(pod_id);
}

std::vector<std::string> CgroupClaims::ClaimOurs(
    const std::string& pod_id, const std::vector<std::string>& paths,
    const std::function<bool(const std::string&)>& exists) {
  std::unique_lock lock(mutex_);
  removed_.wait(lock, [&] {
    return std::none_of(paths.begin(), paths.end(),
                        [&](const std::string& path) { return removing_.contains(path); });
  });
  std::vector<std::string> ours;
  for (const std::string& path : paths) {
    if (!pods_by_path_.contains(path) && exists(path)) continue;
    pods_by_path_[path].insert(pod_id);
    ours.push_back(path);
  }
  return ours;
}

absl::Status CgroupClaims::Release(const std::string& pod_id,
                                   const std::function<absl::Status(const std::string&)>& remove) {
  std::vector<std::string> unclaimed;
  {
    const std::lock_guard lock(mutex_);
    for (auto entry = pods_by_path_.begin(); entry != pods_by_path_.end();) {
      if (entry->second.erase(pod_id) > 0 && entry->second.empty()) {
        unclaimed.push_back(entry->first);
        entry = pods_by_path_.erase(entry);
      } else {
        ++entry;
      }
    }
    // Who claimed them anew before they are gone would lose what it makes in them.
    removing_.insert(unclaimed.begin(), unclaimed.end());
  }
  // A parent sorts before what is below it.
  std::reverse(unclaimed.begin(), unclaimed.end());
  absl::Status first;
  for (const std::string& path : unclaimed) first.Update(remove(path));
  const std::lock_guard lock(mutex_);
  for (const std::string& path : unclaimed) removing_.erase(path);
  removed_.notify_all();
  return first;
}

}  // namespace bulkhead::pods
