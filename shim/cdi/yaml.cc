#include "shim/cdi/yaml.h"

#include <yaml-cpp/yaml.h>

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace bulkhead::cdi {
namespace {

using nlohmann::json;

// The largest files that vendors make have some thousand.
constexpr int kNodes = 100'000;
constexpr int kDepth = 100;

// Nothing where it is no number of this base as a whole.
std::optional<uint64_t> Number(std::string_view text, int base) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// YAML 1.2, 10.3.2 (core schema), as far as CDI has use for it: file modes are octal, with YAML
// 1.1's prefix "0" or 1.2's "0o".
json Plain(const std::string& text) {
  if (text.empty() || text == "~" || text == "null") return nullptr;
  if (text == "true") return true;
  if (text == "false") return false;
  std::string_view digits = text;
  if (digits.size() > 1 && digits[0] == '0') {
    digits.remove_prefix(digits[1] == 'o' ? 2 : 1);
    if (const auto octal = Number(digits, 8)) return *octal;
  }
  if (const auto number = Number(text, 10)) return *number;
  int64_t negative;
  return absl::SimpleAtoi(text, &negative) && negative < 0 ? json(negative) : json(text);
}

class Converter {
 public:
  absl::StatusOr<json> Convert(const YAML::Node& node, int depth = 0) {
    if (++nodes_ > kNodes || depth > kDepth) {
      return absl::InvalidArgumentError("is larger than such a file can be");
    }
    switch (node.Type()) {
      case YAML::NodeType::Scalar:
        // yaml-cpp's tag of a quoted scalar is "!".
        return node.Tag() == "!" ? json(node.Scalar()) : Plain(node.Scalar());
      case YAML::NodeType::Sequence:
        return ConvertList(node, depth);
      case YAML::NodeType::Map:
        return ConvertMap(node, depth);
      default:
        return json(nullptr);
    }
  }

 private:
  absl::StatusOr<json> ConvertList(const YAML::Node& node, int depth) {
    json list = json::array();
    for (const YAML::Node& element : node) {
      absl::StatusOr<json> value = Convert(element, depth + 1);
      if (!value.ok()) return value.status();
      list.push_back(*std::move(value));
    }
    return list;
  }

  absl::StatusOr<json> ConvertMap(const YAML::Node& node, int depth) {
    json map = json::object();
    for (const auto& entry : node) {
      if (!entry.first.IsScalar()) return absl::InvalidArgumentError("has a key that is no string");
      const std::string& key = entry.first.Scalar();
      absl::StatusOr<json> value = Convert(entry.second, depth + 1);
      if (!value.ok()) return value.status();
      if (!map.emplace(key, *std::move(value)).second) {
        return absl::InvalidArgumentError(absl::StrCat("has the key \"", key, "\" twice"));
      }
    }
    return map;
  }

  int nodes_ = 0;
};

}  // namespace

absl::StatusOr<json> ParseYaml(const std::string& text) {
  try {
    return Converter().Convert(YAML::Load(text));
  } catch (const YAML::Exception& error) {
    return absl::InvalidArgumentError(absl::StrCat("is not YAML: ", error.what()));
  }
}

}  // namespace bulkhead::cdi
