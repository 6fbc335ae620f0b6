// Specs as JSON, for the pods' records and for telling two specs apart.
#ifndef BULKHEAD_RUNTIME_SPEC_JSON_H_
#define BULKHEAD_RUNTIME_SPEC_JSON_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "runtime/spec/container.h"
#include "runtime/spec/pod.h"

namespace bulkhead::spec {

nlohmann::json ToJson(const PodSpec& spec);
nlohmann::json ToJson(const ContainerSpec& spec);
nlohmann::json ToJson(const Resources& resources);
nlohmann::json ToJson(const PodResources& resources);

// Every member is expected, so that a damaged record is never taken for a weaker spec.
absl::StatusOr<PodSpec> PodSpecFromJson(const nlohmann::json& json);
absl::StatusOr<ContainerSpec> ContainerSpecFromJson(const nlohmann::json& json);
absl::StatusOr<Resources> ResourcesFromJson(const nlohmann::json& json);
absl::StatusOr<PodResources> PodResourcesFromJson(const nlohmann::json& json);

// The path of the first field in which the two differ, such as "security.privileged" or
// "mounts[2].host_path"; none when they are equal.
std::optional<std::string> FirstDifference(const PodSpec& a, const PodSpec& b);
std::optional<std::string> FirstDifference(const ContainerSpec& a, const ContainerSpec& b);

}  // namespace bulkhead::spec

#endif  // BULKHEAD_RUNTIME_SPEC_JSON_H_
