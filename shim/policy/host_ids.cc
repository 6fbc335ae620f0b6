#include "shim/policy/host_ids.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace bulkhead::policy {
namespace {

spec::UserNamespace SpaceAt(uint32_t block) {
  const std::vector<spec::IdRange> map = {
      {.container = 0, .host = block * HostIds::kPerPod, .size = HostIds::kPerPod}};
  return {.mode = spec::NamespaceMode::kPod, .uids = map, .gids = map};
}

}  // namespace

absl::StatusOr<spec::UserNamespace> HostIds::Take(const std::string& pod_id) {
  const std::lock_guard lock(mutex_);
  if (!closed_.empty()) return absl::FailedPreconditionError(closed_);
  for (uint32_t block = first_; block < first_ + pods_; ++block) {
    if (pods_by_block_.contains(block)) continue;
    pods_by_block_.emplace(block, pod_id);
    return SpaceAt(block);
  }
  return absl::ResourceExhaustedError(absl::StrCat(
      "no ids are left for the pod's user namespace: isolation.first_host_id ", first_ * kPerPod,
      " and isolation.host_id_ranges ", pods_, " are enough for ", pods_, " pods"));
}

void HostIds::Keep(const std::string& pod_id, const spec::UserNamespace& space) {
  const std::lock_guard lock(mutex_);
  for (const std::vector<spec::IdRange>* map : {&space.uids, &space.gids}) {
    for (const spec::IdRange& range : *map) {
      const uint32_t last = (range.host + (range.size - 1)) / kPerPod;
      for (uint32_t block = range.host / kPerPod; block <= last; ++block) {
        pods_by_block_.emplace(block, pod_id);
      }
    }
  }
}

void HostIds::Release(const std::string& pod_id) {
  const std::lock_guard lock(mutex_);
  std::erase_if(pods_by_block_, [&](const auto& entry) { return entry.second == pod_id; });
}

void HostIds::Close(const std::string& why) {
  const std::lock_guard lock(mutex_);
  closed_ = why;
}

absl::Status HostIds::CheckApart(const spec::NamespaceOptions& asked) const {
  const spec::UserNamespace* own = spec::OwnUserNamespace(asked);
  if (own == nullptr) return absl::OkStatus();
  const uint64_t begin = uint64_t{first_} * kPerPod;
  const uint64_t end = begin + uint64_t{pods_} * kPerPod;
  const std::pair<const char*, const std::vector<spec::IdRange>&> maps[] = {{"uids", own->uids},
                                                                            {"gids", own->gids}};
  for (const auto& [name, map] : maps) {
    for (const spec::IdRange& range : map) {
      if (range.host >= end || uint64_t{range.host} + range.size <= begin) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("config.linux.security_context.namespace_options.userns_options.", name,
                       "[0].host_id: ", range.host, " and length ", range.size,
                       " are not apart from the ids that this node gives by itself, which begin at "
                       "isolation.first_host_id ",
                       begin));
    }
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::policy
