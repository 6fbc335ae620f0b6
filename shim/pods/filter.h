#ifndef BULKHEAD_SHIM_PODS_FILTER_H_
#define BULKHEAD_SHIM_PODS_FILTER_H_

#include <map>
#include <string>

#include "shim/pods/status.h"

namespace bulkhead::pods {

// Whether `labels` has every one of `wanted` with the same value.
bool HasLabels(const std::map<std::string, std::string>& labels,
               const std::map<std::string, std::string>& wanted);

bool HasPrefix(const std::string& id, const std::string& prefix);

bool Matches(const PodFilter& filter, const std::string& id, const spec::PodSpec& spec,
             PodState state);
bool Matches(const ContainerFilter& filter, const std::string& id, const std::string& pod_id,
             const spec::ContainerSpec& spec, ContainerState state);

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_FILTER_H_
