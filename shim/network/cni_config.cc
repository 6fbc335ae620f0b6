#include "shim/network/cni_config.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "runtime/kernel/file.h"
#include "runtime/kernel/status.h"

namespace bulkhead::network {
namespace {

using nlohmann::json;

// Oldest first. Before 0.3.1 there is no list and another result format.
constexpr std::array<std::string_view, 4> kVersions = {"0.3.1", "0.4.0", "1.0.0", "1.1.0"};

absl::Status Invalid(const std::string& what) { return absl::InvalidArgumentError(what); }

// -1 for a version that we do not speak.
int VersionRank(const std::string& version) {
  const auto* found = std::find(kVersions.begin(), kVersions.end(), version);
  return found == kVersions.end() ? -1 : static_cast<int>(found - kVersions.begin());
}

// "cniVersion", or the newest of "cniVersions" (CNI 1.1).
absl::StatusOr<std::string> ChooseVersion(const json& object) {
  std::vector<std::string> offered;
  const auto single = object.find("cniVersion");
  if (single != object.end() && single->is_string()) offered.push_back(*single);
  const auto several = object.find("cniVersions");
  if (several != object.end() && several->is_array()) {
    for (const json& version : *several) {
      if (version.is_string()) offered.push_back(version);
    }
  }
  if (offered.empty()) return Invalid("cniVersion is missing");
  const std::string best = *std::max_element(
      offered.begin(), offered.end(),
      [](const auto& a, const auto& b) { return VersionRank(a) < VersionRank(b); });
  if (VersionRank(best) >= 0) return best;
  return Invalid(absl::StrCat("cniVersion \"", absl::StrJoin(offered, ", "),
                              "\" is not one of 0.3.1, 0.4.0, 1.0.0, 1.1.0"));
}

// The specification's pattern: [a-zA-Z0-9][a-zA-Z0-9_.-]*
bool IsNetworkName(const std::string& name) {
  const auto allowed = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.' || c == '-';
  };
  return !name.empty() && absl::ascii_isalnum(static_cast<unsigned char>(name[0])) &&
         std::all_of(name.begin(), name.end(), allowed);
}

bool IsFileName(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos;
}

absl::Status CheckPlugin(const json& plugin, const std::string& key) {
  if (!plugin.is_object()) return Invalid(absl::StrCat(key, " is not an object"));
  const auto type = plugin.find("type");
  if (type == plugin.end() || !type->is_string() || !IsFileName(*type)) {
    return Invalid(absl::StrCat(key, "type is missing or is not the name of a program"));
  }
  const auto capabilities = plugin.find("capabilities");
  if (capabilities != plugin.end() && !capabilities->is_object()) {
    return Invalid(absl::StrCat(key, "capabilities is not an object"));
  }
  return absl::OkStatus();
}

absl::Status ReadPlugins(const json& object, std::vector<json>& plugins) {
  const auto list = object.find("plugins");
  if (list == object.end() || !list->is_array() || list->empty()) {
    return Invalid("plugins is missing or is not a list with at least one plugin");
  }
  for (const json& plugin : *list) {
    const absl::Status status = CheckPlugin(plugin, absl::StrCat("plugins[", plugins.size(), "]."));
    if (!status.ok()) return status;
    plugins.push_back(plugin);
  }
  return absl::OkStatus();
}

absl::Status ReadOnePlugin(const json& object, std::vector<json>& plugins) {
  if (object.contains("plugins")) {
    return Invalid("plugins needs a file whose name ends in .conflist");
  }
  plugins.push_back(object);
  return CheckPlugin(object, "");
}

// The specification wants a boolean; files with the word as a string are in use, so both count.
absl::StatusOr<bool> ReadFlag(const json& object, const char* key) {
  const auto value = object.find(key);
  if (value == object.end()) return false;
  if (value->is_boolean()) return value->get<bool>();
  if (*value == "true" || *value == "false") return *value == "true";
  return Invalid(absl::StrCat(key, " is neither true nor false"));
}

absl::StatusOr<CniNetwork> ReadNetwork(const json& object, bool is_list) {
  if (!object.is_object()) return Invalid("is not a JSON object");
  CniNetwork network;
  const auto name = object.find("name");
  if (name == object.end() || !name->is_string() || !IsNetworkName(*name)) {
    return Invalid("name is missing or has other characters than letters, digits, _ . and -");
  }
  network.name = *name;
  absl::StatusOr<std::string> version = ChooseVersion(object);
  if (!version.ok()) return version.status();
  network.cni_version = *std::move(version);
  const absl::StatusOr<bool> disable_check = ReadFlag(object, "disableCheck");
  if (!disable_check.ok()) return disable_check.status();
  network.disable_check = *disable_check;
  const absl::Status status =
      is_list ? ReadPlugins(object, network.plugins) : ReadOnePlugin(object, network.plugins);
  if (!status.ok()) return status;
  return network;
}

bool IsConfigName(const std::string& name) {
  return absl::EndsWith(name, ".conflist") || absl::EndsWith(name, ".conf") ||
         absl::EndsWith(name, ".json");
}

// Sorted, so that 10-calico comes before 20-other.
std::vector<std::string> ListConfigs(const std::string& dir) {
  std::vector<std::string> files;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(dir, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code ignored;
    if (IsConfigName(entry->path().filename()) && entry->is_regular_file(ignored)) {
      files.push_back(entry->path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

absl::StatusOr<CniNetwork> ReadCniConfig(const std::string& file) {
  const absl::StatusOr<std::string> text = ReadFile(file);
  if (!text.ok()) return text.status();
  return ParseCniConfig(*text, file);
}

// Empty when all programs are there.
std::string MissingPlugin(const CniNetwork& network, const std::vector<std::string>& plugin_dirs) {
  for (const json& plugin : network.plugins) {
    const absl::StatusOr<std::string> found =
        FindCniPlugin(plugin["type"].get<std::string>(), plugin_dirs);
    if (!found.ok()) return std::string(found.status().message());
  }
  return "";
}

}  // namespace

absl::StatusOr<CniNetwork> ParseCniConfig(const std::string& text, const std::string& file) {
  try {
    absl::StatusOr<CniNetwork> network =
        ReadNetwork(json::parse(text), absl::EndsWith(file, ".conflist"));
    if (!network.ok()) return Annotate(network.status(), file);
    return network;
  } catch (const json::exception& error) {
    return Invalid(absl::StrCat(file, ": ", error.what()));
  }
}

bool HasCapability(const json& plugin, const std::string& capability) {
  const auto capabilities = plugin.find("capabilities");
  if (capabilities == plugin.end()) return false;
  const auto value = capabilities->find(capability);
  return value != capabilities->end() && *value == true;
}

absl::StatusOr<std::string> FindCniPlugin(const std::string& type,
                                          const std::vector<std::string>& plugin_dirs) {
  if (!IsFileName(type)) {
    return Invalid(absl::StrCat("CNI plugin type \"", type, "\" is not the name of a program"));
  }
  for (const std::string& dir : plugin_dirs) {
    std::string path = absl::StrCat(dir, "/", type);
    std::error_code ignored;
    if (std::filesystem::is_regular_file(path, ignored) && access(path.c_str(), X_OK) == 0) {
      return path;
    }
  }
  return absl::NotFoundError(absl::StrCat("CNI plugin \"", type, "\" is not installed in ",
                                          absl::StrJoin(plugin_dirs, " or ")));
}

CniSelection SelectCniConfig(const std::string& config_dir,
                             const std::vector<std::string>& plugin_dirs) {
  CniSelection selection;
  std::vector<std::string> refused;
  for (const std::string& file : ListConfigs(config_dir)) {
    absl::StatusOr<CniNetwork> network = ReadCniConfig(file);
    if (!network.ok()) {
      refused.emplace_back(network.status().message());
      continue;
    }
    selection.file = file;
    selection.problem = MissingPlugin(*network, plugin_dirs);
    if (!selection.problem.empty()) absl::StrAppend(&selection.problem, ", needed by ", file);
    selection.network = *std::move(network);
    return selection;
  }
  selection.problem = absl::StrCat(
      refused.empty() ? "no CNI configuration in " : "no valid CNI configuration in ", config_dir);
  if (!refused.empty()) absl::StrAppend(&selection.problem, ": ", absl::StrJoin(refused, "; "));
  return selection;
}

}  // namespace bulkhead::network
