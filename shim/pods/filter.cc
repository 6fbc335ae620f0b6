#include "shim/pods/filter.h"

#include <algorithm>

namespace bulkhead::pods {

bool HasLabels(const std::map<std::string, std::string>& labels,
               const std::map<std::string, std::string>& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& label) {
    const auto found = labels.find(label.first);
    return found != labels.end() && found->second == label.second;
  });
}

bool HasPrefix(const std::string& id, const std::string& prefix) {
  return id.compare(0, prefix.size(), prefix) == 0;
}

bool Matches(const PodFilter& filter, const std::string& id, const spec::PodSpec& spec,
             PodState state) {
  return HasPrefix(id, filter.id) && filter.state.value_or(state) == state &&
         HasLabels(spec.labels, filter.labels);
}

bool Matches(const ContainerFilter& filter, const std::string& id, const std::string& pod_id,
             const spec::ContainerSpec& spec, ContainerState state) {
  return HasPrefix(id, filter.id) && HasPrefix(pod_id, filter.pod_id) &&
         filter.state.value_or(state) == state && HasLabels(spec.labels, filter.labels);
}

}  // namespace bulkhead::pods
