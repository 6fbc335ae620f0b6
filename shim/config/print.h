#ifndef BULKHEAD_SHIM_CONFIG_PRINT_H_
#define BULKHEAD_SHIM_CONFIG_PRINT_H_

#include <string>

#include "shim/config/config.h"

namespace bulkhead::config {

// The configuration as a file that Load reads back to the same values, each key with its value.
std::string ToToml(const Config& config);

// The default configuration with a comment for each key: what /etc/bulkhead/config.toml ships as.
std::string DefaultToml();

// The same as ToToml as one JSON object, a member a section.
std::string ToJson(const Config& config);

}  // namespace bulkhead::config

#endif  // BULKHEAD_SHIM_CONFIG_PRINT_H_
