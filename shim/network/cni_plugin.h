#ifndef BULKHEAD_SHIM_NETWORK_CNI_PLUGIN_H_
#define BULKHEAD_SHIM_NETWORK_CNI_PLUGIN_H_

#include <chrono>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nlohmann/json.hpp"
#include "shim/network/cni_config.h"

namespace bulkhead::network {

// What a plugin is told of the attachment, by its environment (CNI specification, section 2).
struct CniAttachment {
  std::string container_id;
  std::string netns;  // Empty when it is gone, which DEL allows.
  std::string interface;
  std::string args;  // CNI_ARGS
};

// How plugins are run.
struct CniExecution {
  std::vector<std::string> plugin_dirs;
  std::chrono::milliseconds timeout{60000};  // For one plugin.
  int cancel_fd = -1;                        // Borrowed; readable means: give up.
};

// The configuration that a plugin reads from its input (section 3): its own, with the network's
// name and version, the values of the capabilities that it declared, and the previous result unless
// that is null. `capabilities` is an object with a value for each capability that has one.
nlohmann::json MakePluginConfig(const CniNetwork& network, const nlohmann::json& plugin,
                                const nlohmann::json& capabilities,
                                const nlohmann::json& previous_result);

// Runs one plugin and returns what it printed. `command` is ADD, DEL or CHECK. A failure is told in
// the plugin's own words; code 11 (try again later) is UNAVAILABLE, everything else INTERNAL.
absl::StatusOr<std::string> RunCniPlugin(const std::string& command,
                                         const CniAttachment& attachment,
                                         const nlohmann::json& config,
                                         const CniExecution& execution);

// The status for a plugin that ended with an error: a sentence of its error object when it printed
// one (section 5), else of its exit and the end of what it wrote to standard error.
absl::Status CniFailure(const std::string& command, const std::string& type,
                        const std::string& how_it_ended, const std::string& output,
                        const std::string& error);

}  // namespace bulkhead::network

#endif  // BULKHEAD_SHIM_NETWORK_CNI_PLUGIN_H_
