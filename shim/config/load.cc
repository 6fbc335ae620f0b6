#include "shim/config/load.h"

#include <toml++/toml.h>
#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/file.h"
#include "runtime/kernel/status.h"
#include "shim/config/handler_keys.h"
#include "shim/config/keys.h"
#include "shim/config/nearest.h"

namespace bulkhead::config {
namespace {

// Applies one parsed file, table by table.
class Reader {
 public:
  Reader(const std::string& file, Config& config) : file_(file), config_(config), keys_(Keys()) {}

  absl::Status ReadSections(const toml::table& root) {
    for (const auto& [name, node] : root) {
      const absl::Status status = ReadSection(std::string(name.str()), node, name.source());
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

 private:
  absl::Status ReadSection(const std::string& name, const toml::node& node,
                           const toml::source_region& where) {
    if (name == kHandlers) return ReadHandlers(node, where);
    const std::set<std::string> sections = Sections();
    if (sections.count(name) == 0) {
      return Unknown(node.is_table() ? "section" : "key", name, {sections.begin(), sections.end()},
                     where);
    }
    if (!node.is_table()) return At(where, absl::StrCat(name, " is a section, not a key"));
    for (const auto& [key, value] : *node.as_table()) {
      const absl::Status status = ReadKey(name, std::string(key.str()), value, key.source());
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status ReadKey(const std::string& section, const std::string& name, const toml::node& node,
                       const toml::source_region& where) {
    const auto key = std::find_if(keys_.begin(), keys_.end(), [&](const Key& candidate) {
      return candidate.section == section && candidate.name == name;
    });
    const std::string full = absl::StrCat(section, ".", name);
    if (key == keys_.end()) return Unknown("key", full, Names(), where);
    return Report(ReadInto(key->read, node, config_), full, where);
  }

  absl::Status ReadHandlers(const toml::node& node, const toml::source_region& where) {
    if (!node.is_table()) return At(where, absl::StrCat(kHandlers, " is a section, not a key"));
    for (const auto& [key, section] : *node.as_table()) {
      const std::string name(key.str());
      absl::Status status = CheckHandlerName(name);
      if (!status.ok()) return At(key.source(), std::string(status.message()));
      status = ReadHandler(name, section, key.source());
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status ReadHandler(const std::string& name, const toml::node& node,
                           const toml::source_region& where) {
    const std::string section = absl::StrCat(kHandlers, ".", name);
    if (!node.is_table()) return At(where, absl::StrCat(section, " is a section, not a key"));
    HandlerConfig& handler = config_.handlers[name];
    for (const auto& [key, value] : *node.as_table()) {
      const absl::Status status =
          ReadHandlerKey(section, std::string(key.str()), value, key.source(), handler);
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }

  absl::Status ReadHandlerKey(const std::string& section, const std::string& name,
                              const toml::node& node, const toml::source_region& where,
                              HandlerConfig& handler) {
    const std::string full = absl::StrCat(section, ".", name);
    std::vector<std::string> known;
    for (const HandlerKey& key : HandlerKeys()) {
      known.push_back(absl::StrCat(section, ".", key.name));
      if (key.name == name) return Report(ReadInto(key.read, node, handler), full, where);
    }
    return Unknown("key", full, known, where);
  }

  template <typename Read, typename Target>
  static absl::Status ReadInto(const Read& read, const toml::node& node, Target& target) {
    const absl::StatusOr<Value> value = ToValue(node);
    return value.ok() ? read(*value, target) : value.status();
  }

  absl::Status Report(const absl::Status& status, const std::string& key,
                      const toml::source_region& where) const {
    return status.ok() ? status : At(where, absl::StrCat(key, ": ", status.message()));
  }

  static absl::StatusOr<Value> ToValue(const toml::node& node) {
    if (const auto* flag = node.as_boolean()) return Value(flag->get());
    if (const auto* number = node.as_integer()) return Value(number->get());
    if (const auto* text = node.as_string()) return Value(text->get());
    if (const auto* list = node.as_array()) return ToList(*list);
    return absl::InvalidArgumentError(absl::StrCat("expected another type than ", TypeOf(node)));
  }

  static absl::StatusOr<Value> ToList(const toml::array& array) {
    std::vector<std::string> list;
    for (const toml::node& node : array) {
      const auto* text = node.as_string();
      if (text == nullptr) {
        return absl::InvalidArgumentError(
            absl::StrCat("expected a list of strings, found ", TypeOf(node), " in it"));
      }
      list.push_back(text->get());
    }
    return Value(std::move(list));
  }

  static std::string TypeOf(const toml::node& node) {
    std::ostringstream name;
    name << node.type();
    return name.str();
  }

  absl::Status Unknown(const std::string& kind, const std::string& name,
                       const std::vector<std::string>& known,
                       const toml::source_region& where) const {
    const std::string nearest = Nearest(name, known);
    return At(where,
              absl::StrCat("unknown ", kind, " ", name, nearest.empty() ? "" : "; did you mean ",
                           nearest, nearest.empty() ? "" : "?"));
  }

  absl::Status At(const toml::source_region& where, const std::string& message) const {
    return absl::InvalidArgumentError(absl::StrCat(file_, ":", where.begin.line, ": ", message));
  }

  std::set<std::string> Sections() const {
    std::set<std::string> sections;
    for (const Key& key : keys_) sections.insert(key.section);
    sections.insert(kHandlers);
    return sections;
  }

  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const Key& key : keys_) names.push_back(absl::StrCat(key.section, ".", key.name));
    return names;
  }

  const std::string& file_;
  Config& config_;
  const std::vector<Key> keys_;
};

// Below what the kernel's interfaces with signed ids take.
constexpr uint64_t kHostIdsEnd = uint64_t{1} << 31;

}  // namespace

absl::Status Check(const Config& config) {
  const IsolationConfig& isolation = config.isolation;
  const uint64_t end = isolation.first_host_id + uint64_t{isolation.host_id_ranges} * 65536;
  if (end > kHostIdsEnd) {
    return absl::InvalidArgumentError(absl::StrCat(
        "isolation.host_id_ranges: ", isolation.host_id_ranges, " ranges from first_host_id ",
        isolation.first_host_id, " on end above ", kHostIdsEnd));
  }
  for (const auto& [name, handler] : config.handlers) {
    if (absl::Status status = CheckHandler(name, handler); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> FindFiles(const std::string& file,
                                                   const std::string& directory) {
  namespace fs = std::filesystem;
  std::error_code error;
  std::vector<std::string> files;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".toml") files.push_back(entry->path());
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return ErrnoStatus(error.value(), absl::StrCat("read directory ", directory));
  }
  std::sort(files.begin(), files.end());
  if (fs::exists(file, error)) files.insert(files.begin(), file);
  return files;
}

absl::StatusOr<Config> Load(const std::vector<std::string>& files) {
  Config config;
  for (const std::string& file : files) {
    const absl::StatusOr<std::string> text = ReadFile(file);
    if (!text.ok()) return text.status();
    const absl::Status status = Apply(*text, file, config);
    if (!status.ok()) return status;
  }
  if (absl::Status status = Check(config); !status.ok()) return status;
  return config;
}

absl::Status Set(const std::string& key, const Value& value, Config& config) {
  for (const Key& candidate : Keys()) {
    if (absl::StrCat(candidate.section, ".", candidate.name) == key) {
      return Annotate(candidate.read(value, config), key);
    }
  }
  return absl::InvalidArgumentError(absl::StrCat("unknown key ", key));
}

absl::Status Apply(const std::string& text, const std::string& name, Config& config) {
  try {
    return Reader(name, config).ReadSections(toml::parse(text, name));
  } catch (const toml::parse_error& error) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ":", error.source().begin.line, ": ", std::string(error.description())));
  }
}

}  // namespace bulkhead::config
