#include "shim/config/print.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "shim/config/keys.h"

namespace bulkhead::config {
namespace {

std::string Write(const Config& config, bool with_comments) {
  std::string text;
  std::string section;
  for (const Key& key : Keys()) {
    if (key.section != section) {
      absl::StrAppend(&text, section.empty() ? "" : "\n", "[", key.section, "]\n");
      section = key.section;
    }
    if (with_comments) {
      absl::StrAppend(&text, "\n# ", absl::StrReplaceAll(key.comment, {{"\n", "\n# "}}), "\n");
    }
    absl::StrAppend(&text, key.name, " = ", ToText(key.write(config)), "\n");
  }
  return text;
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
  return text + "}}";
}

}  // namespace bulkhead::config
