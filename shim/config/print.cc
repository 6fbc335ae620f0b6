#include "shim/config/print.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "shim/config/handler_keys.h"
#include "shim/config/keys.h"

namespace bulkhead::config {
namespace {

std::string Comment(const std::string& text) {
  return absl::StrCat("# ", absl::StrReplaceAll(text, {{"\n", "\n# "}}), "\n");
}

template <typename Key, typename Section>
void WriteKey(const Key& key, const Section& section, bool with_comments, std::string& text) {
  if (with_comments) absl::StrAppend(&text, "\n", Comment(key.comment));
  absl::StrAppend(&text, key.name, " = ", ToText(key.write(section)), "\n");
}

void WriteHandlers(const Config& config, bool with_comments, std::string& text) {
  if (with_comments) absl::StrAppend(&text, "\n", Comment(HandlersComment()));
  for (const auto& [name, handler] : config.handlers) {
    absl::StrAppend(&text, "\n[", kHandlers, ".", name, "]\n");
    for (const HandlerKey& key : HandlerKeys()) WriteKey(key, handler, with_comments, text);
  }
}

std::string Write(const Config& config, bool with_comments) {
  std::string text;
  std::string section;
  for (const Key& key : Keys()) {
    if (key.section != section) {
      absl::StrAppend(&text, section.empty() ? "" : "\n", "[", key.section, "]\n");
      section = key.section;
    }
    WriteKey(key, config, with_comments, text);
  }
  WriteHandlers(config, with_comments, text);
  return text;
}

std::string HandlersToJson(const Config& config) {
  std::vector<std::string> handlers;
  for (const auto& [name, handler] : config.handlers) {
    std::vector<std::string> members;
    for (const HandlerKey& key : HandlerKeys()) {
      members.push_back(absl::StrCat("\"", key.name, "\":", ToText(key.write(handler))));
    }
    handlers.push_back(absl::StrCat("\"", name, "\":{", absl::StrJoin(members, ","), "}"));
  }
  return absl::StrCat("\"", kHandlers, "\":{", absl::StrJoin(handlers, ","), "}");
}

}  // namespace

std::string ToToml(const Config& config) { return Write(config, false); }

std::string DefaultToml() {
  return absl::StrCat(
      "# The configuration of bulkheadd. Every key is shown with its default; one that is left "
      "out\n"
      "# keeps it. Files in config.d beside this one are read after it, in the order of their\n"
      "# names. `bulkheadctl config validate` checks them all.\n\n",
      Write(Config(), true));
}

// Strings, numbers, flags and lists are written alike in TOML and JSON.
std::string ToJson(const Config& config) {
  std::string text;
  std::string section;
  for (const Key& key : Keys()) {
    const bool first = key.section != section;
    if (first) absl::StrAppend(&text, section.empty() ? "{" : "},", "\"", key.section, "\":{");
    section = key.section;
    absl::StrAppend(&text, first ? "" : ",", "\"", key.name, "\":", ToText(key.write(config)));
  }
  return absl::StrCat(text, "},", HandlersToJson(config), "}");
}

}  // namespace bulkhead::config
