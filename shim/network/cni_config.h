#ifndef BULKHEAD_SHIM_NETWORK_CNI_CONFIG_H_
#define BULKHEAD_SHIM_NETWORK_CNI_CONFIG_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"

namespace bulkhead::network {

// A network configuration list, section 1 of the CNI specification.
struct CniNetwork {
  std::string name;
  std::string cni_version;  // The newest of those that the file allows and that we speak.
  bool disable_check = false;
  std::vector<nlohmann::json> plugins;  // In the order of ADD; each an object with "type".
};

// What a configuration directory says at one moment.
struct CniSelection {
  std::optional<CniNetwork> network;  // Of the first valid file in the order of names.
  std::string file;                   // Where it is from.
  std::string problem;                // Why pods cannot get a network; empty when they can.
};

// Reads a configuration. `file` names it in errors and its extension says what it is: .conflist is
// a list, .conf and .json hold one plugin. INVALID_ARGUMENT names the file and the key at fault.
absl::StatusOr<CniNetwork> ParseCniConfig(const std::string& text, const std::string& file);

// Whether the plugin has declared the capability, so that it gets it as runtimeConfig.
bool HasCapability(const nlohmann::json& plugin, const std::string& capability);

// The path of a plugin's program in the first folder that has it. INVALID_ARGUMENT for a type that
// is no file name, NOT_FOUND when it is in none.
absl::StatusOr<std::string> FindCniPlugin(const std::string& type,
                                          const std::vector<std::string>& plugin_dirs);

// Reads `config_dir` and picks the first valid file. A missing directory is not an error but a
// problem, as are plugins that are not installed: the next file is then not tried, because another
// network than the one meant would be worse than none.
CniSelection SelectCniConfig(const std::string& config_dir,
                             const std::vector<std::string>& plugin_dirs);

}  // namespace bulkhead::network

#endif  // BULKHEAD_SHIM_NETWORK_CNI_CONFIG_H_
