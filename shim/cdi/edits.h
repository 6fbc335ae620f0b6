#ifndef BULKHEAD_SHIM_CDI_EDITS_H_
#define BULKHEAD_SHIM_CDI_EDITS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "runtime/spec/container.h"

namespace bulkhead::cdi {

// What has to be done to a container: containerEdits of the CDI specification.
struct Edits {
  std::vector<std::pair<std::string, std::string>> env;
  std::vector<spec::Device> devices;
  std::vector<spec::Mount> mounts;
  std::vector<uint32_t> groups;
  std::vector<spec::Hook> hooks;
  // What is given and not built; a device that needs one is refused.
  std::vector<std::string> not_built;

  bool operator==(const Edits&) const = default;
};

// INVALID_ARGUMENT with the place, the value and the reason.
absl::StatusOr<Edits> ReadEdits(const nlohmann::json& edits, const std::string& place);

// Does them to `spec`. What is given replaces what the container had at the same path, or as the
// same variable.
void ApplyEdits(const Edits& edits, spec::ContainerSpec& spec);

}  // namespace bulkhead::cdi

#endif  // BULKHEAD_SHIM_CDI_EDITS_H_
