#ifndef BULKHEAD_RUNTIME_ISOLATION_OCI_STATE_H_
#define BULKHEAD_RUNTIME_ISOLATION_OCI_STATE_H_

#include <map>
#include <string>

#include "nlohmann/json.hpp"

namespace bulkhead::isolation {

// The first version of the specification with all of what programs are told here.
inline constexpr char kOciVersion[] = "1.1.0";

// The state of a container (OCI runtime specification, runtime.md), without its pid.
nlohmann::json OciState(const std::string& id, const std::string& status, const std::string& bundle,
                        const std::map<std::string, std::string>& annotations);

// On one line; what is not UTF-8 is replaced.
std::string ToText(const nlohmann::json& value);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_OCI_STATE_H_
