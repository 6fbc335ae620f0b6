#include "shim/network/cni_plugin.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/kernel/status.h"
#include "shim/network/child_process.h"

namespace bulkhead::network {
namespace {

using nlohmann::json;

constexpr int kTryAgainLater = 11;

// Plugins call iptables, ip and the like. Nothing of the daemon's own environment is passed on.
constexpr char kSearchPath[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::vector<std::string> Environment(const std::string& command, const CniAttachment& attachment,
                                     const std::vector<std::string>& plugin_dirs) {
  return {
      absl::StrCat("CNI_COMMAND=", command),
      absl::StrCat("CNI_CONTAINERID=", attachment.container_id),
      absl::StrCat("CNI_NETNS=", attachment.netns),
      absl::StrCat("CNI_IFNAME=", attachment.interface),
      absl::StrCat("CNI_ARGS=", attachment.args),
      absl::StrCat("CNI_PATH=", absl::StrJoin(plugin_dirs, ":")),
      absl::StrCat("PATH=", kSearchPath),
  };
}

std::string StringAt(const json& object, const char* key) {
  const auto value = object.find(key);
  return value != object.end() && value->is_string() ? value->get<std::string>() : "";
}

}  // namespace

json MakePluginConfig(const CniNetwork& network, const json& plugin, const json& capabilities,
                      const json& previous_result) {
  json config = plugin;
  config.erase("capabilities");
  config["name"] = network.name;
  config["cniVersion"] = network.cni_version;
  json given = json::object();
  for (const auto& [capability, value] : capabilities.items()) {
    if (HasCapability(plugin, capability)) given[capability] = value;
  }
  // Whatever the file has of that name: it is the runtime's.
  if (!given.empty()) config["runtimeConfig"] = std::move(given);
  if (!previous_result.is_null()) config["prevResult"] = previous_result;
  return config;
}

absl::StatusOr<std::string> RunCniPlugin(const std::string& command,
                                         const CniAttachment& attachment, const json& config,
                                         const CniExecution& execution) {
  const std::string type = StringAt(config, "type");
  absl::StatusOr<std::string> program = FindCniPlugin(type, execution.plugin_dirs);
  if (!program.ok()) return program.status();
  ChildProcess child;
  child.program = *std::move(program);
  child.environment = Environment(command, attachment, execution.plugin_dirs);
  child.input = config.dump(-1, ' ', false, json::error_handler_t::replace);
  child.timeout = execution.timeout;
  child.cancel_fd = execution.cancel_fd;
  absl::StatusOr<ChildResult> result = RunChild(child);
  if (!result.ok()) return Annotate(result.status(), absl::StrCat("CNI ", command));
  if (result->exited && result->code == 0) return std::move(result->output);
  return CniFailure(command, type, HowItEnded(*result), result->output, result->error);
}

absl::Status CniFailure(const std::string& command, const std::string& type,
                        const std::string& how_it_ended, const std::string& output,
                        const std::string& error) {
  const std::string subject =
      absl::StrCat("CNI plugin \"", type, "\" failed on ", command, " with ");
  const json object = json::parse(output, nullptr, false);
  const auto code = object.find("code");
  if (!object.is_object() || code == object.end() || !code->is_number_integer()) {
    const std::string said = LastWords(error.empty() ? output : error);
    return absl::InternalError(absl::StrCat(subject, how_it_ended, said.empty() ? "" : ": ", said));
  }
  std::string message = absl::StrCat(subject, "code ", code->get<int64_t>());
  for (const char* key : {"msg", "details"}) {
    const std::string text = StringAt(object, key);
    if (!text.empty()) absl::StrAppend(&message, ": ", text);
  }
  return *code == kTryAgainLater ? absl::UnavailableError(message) : absl::InternalError(message);
}

}  // namespace bulkhead::network
