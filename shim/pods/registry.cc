#include "shim/pods/registry.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "shim/pods/filter.h"

namespace bulkhead::pods {
namespace {

template <typename T>
absl::StatusOr<T> FindByPrefix(const std::map<std::string, T>& items, const std::string& id,
                               const std::string& what) {
  const auto first = items.lower_bound(id);
  if (id.empty() || first == items.end() || !HasPrefix(first->first, id)) {
    return absl::NotFoundError(absl::StrCat("no ", what, " with id \"", id, "\""));
  }
  const auto second = std::next(first);
  if (first->first != id && second != items.end() && HasPrefix(second->first, id)) {
    return absl::InvalidArgumentError(
        absl::StrCat("id \"", id, "\" is the beginning of more than one ", what, "'s"));
  }
  return first->second;
}

template <typename T>
std::vector<T> AllWithPrefix(const std::map<std::string, T>& items, const std::string& prefix) {
  std::vector<T> found;
  for (auto item = items.lower_bound(prefix); item != items.end() && HasPrefix(item->first, prefix);
       ++item) {
    found.push_back(item->second);
  }
  return found;
}

}  // namespace

Registry::PodKey Registry::KeyOf(const Pod& pod) {
  const spec::PodMetadata& metadata = pod.record.spec.metadata;
  return {metadata.name, metadata.name_space, metadata.uid, metadata.attempt};
}

Registry::Claim Registry::Enter(const std::shared_ptr<Pod>& pod) {
  const std::lock_guard lock(mutex_);
  const auto [entry, entered] = pods_by_key_.emplace(KeyOf(*pod), pod);
  if (!entered) return {entry->second, false};
  pods_[pod->record.id] = pod;
  return {pod, true};
}

void Registry::Forget(const Pod& pod) {
  const std::lock_guard lock(mutex_);
  pods_by_key_.erase(KeyOf(pod));
  pods_.erase(pod.record.id);
}

void Registry::EnterContainer(const std::shared_ptr<Pod>& pod,
                              const std::shared_ptr<Container>& container) {
  const std::lock_guard lock(mutex_);
  containers_[container->record.id] = {pod, container};
}

void Registry::ForgetContainer(const std::string& id) {
  const std::lock_guard lock(mutex_);
  containers_.erase(id);
}

absl::StatusOr<std::shared_ptr<Pod>> Registry::Find(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  return FindByPrefix(pods_, id, "pod sandbox");
}

absl::StatusOr<FoundContainer> Registry::FindContainer(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  return FindByPrefix(containers_, id, "container");
}

std::vector<std::shared_ptr<Pod>> Registry::Pods(const std::string& prefix) const {
  const std::lock_guard lock(mutex_);
  return AllWithPrefix(pods_, prefix);
}

std::vector<FoundContainer> Registry::Containers(const std::string& prefix) const {
  const std::lock_guard lock(mutex_);
  return AllWithPrefix(containers_, prefix);
}

}  // namespace bulkhead::pods
