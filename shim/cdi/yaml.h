#ifndef BULKHEAD_SHIM_CDI_YAML_H_
#define BULKHEAD_SHIM_CDI_YAML_H_

#include <string>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace bulkhead::cdi {

// One YAML document as JSON: plain scalars that look like a number, a boolean or null are one.
// INVALID_ARGUMENT for what is no YAML, for two equal keys, and where aliases make more of it than
// a file of this kind can need.
absl::StatusOr<nlohmann::json> ParseYaml(const std::string& text);

}  // namespace bulkhead::cdi

#endif  // BULKHEAD_SHIM_CDI_YAML_H_
