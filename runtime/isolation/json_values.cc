#include "runtime/isolation/json_values.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace bulkhead::isolation {

using nlohmann::json;

namespace {

constexpr size_t kShownValue = 80;

}  // namespace

std::string Below(const std::string& place, absl::string_view key) {
  return place.empty() ? std::string(key) : absl::StrCat(place, ".", key);
}
std::string At(const std::string& place, size_t index) {
  return absl::StrCat(place, "[", index, "]");
}

absl::Status Refuse(const std::string& place, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(place.empty() ? "the profile" : place, ": ", why));
}
absl::Status Refuse(const std::string& place, const json& value, absl::string_view why) {
  std::string shown = value.dump(-1, ' ', true, json::error_handler_t::replace);
  if (shown.size() > kShownValue) shown = shown.substr(0, kShownValue) + "...";
  return Refuse(place, absl::StrCat(shown, " ", why));
}

const json* Find(const json& object, absl::string_view key) {
  const auto found = object.find(std::string(key));
  return found == object.end() || found->is_null() ? nullptr : &*found;
}

absl::Status CheckKeys(const json& object, const std::string& place,
                       std::initializer_list<absl::string_view> known, OtherKeys others) {
  if (!object.is_object()) return Refuse(place, object, "is not an object");
  for (const auto& [key, value] : object.items()) {
    for (const absl::string_view name : known) {
      if (key == name) break;
      if (!absl::EqualsIgnoreCase(key, name)) continue;
      return Refuse(Below(place, key), absl::StrCat("the key is written \"", name, "\""));
    }
    if (others == OtherKeys::kPassOver) continue;
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      return Refuse(Below(place, key), "is not a key that this version knows");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadString(const json& value, const std::string& place) {
  if (!value.is_string()) return Refuse(place, value, "is not a string");
  return value.get<std::string>();
}

absl::Status ReadStrings(const json& object, absl::string_view key, const std::string& place,
                         std::vector<std::string>& out) {
  return ForEach(object, key, place, [&](const json& value, const std::string& here) {
    absl::StatusOr<std::string> text = ReadString(value, here);
    if (text.ok()) out.push_back(*std::move(text));
    return text.status();
  });
}

absl::StatusOr<uint64_t> ReadNumber(const json& object, absl::string_view key,
                                    const std::string& place, uint64_t highest) {
  const json* value = Find(object, key);
  const std::string here = Below(place, key);
  if (value == nullptr) return Refuse(here, "is missing");
  if (!value->is_number_unsigned() || value->get<uint64_t>() > highest) {
    return Refuse(here, *value, absl::StrCat("is not a number from 0 to ", highest));
  }
  return value->get<uint64_t>();
}

}  // namespace bulkhead::isolation
