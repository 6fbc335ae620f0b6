// Values of a JSON file that a person wrote, with their place in every error.
#ifndef BULKHEAD_RUNTIME_ISOLATION_JSON_VALUES_H_
#define BULKHEAD_RUNTIME_ISOLATION_JSON_VALUES_H_

#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"

namespace bulkhead::isolation {

// Where a value stands in the file, such as "syscalls[3].args"; the file itself is "".
std::string Below(const std::string& place, absl::string_view key);
std::string At(const std::string& place, size_t index);

// INVALID_ARGUMENT: place, value cut to a readable length, why.
absl::Status Refuse(const std::string& place, absl::string_view why);
absl::Status Refuse(const std::string& place, const nlohmann::json& value, absl::string_view why);

// Null when the key is not there or is null, which Go's encoder makes of an empty list.
const nlohmann::json* Find(const nlohmann::json& object, absl::string_view key);

enum class OtherKeys { kPassOver, kRefuse };

// That it is an object, and that none of its keys is a known one in other case, which would be
// passed over.
absl::Status CheckKeys(const nlohmann::json& object, const std::string& place,
                       std::initializer_list<absl::string_view> known,
                       OtherKeys others = OtherKeys::kPassOver);

absl::StatusOr<std::string> ReadString(const nlohmann::json& value, const std::string& place);
// The number at a key that must be there.
absl::StatusOr<uint64_t> ReadNumber(const nlohmann::json& object, absl::string_view key,
                                    const std::string& place, uint64_t highest);

// Calls `read(element, place)` for each element of the list at `key`, if there is one.
template <typename Read>
absl::Status ForEach(const nlohmann::json& object, absl::string_view key, const std::string& place,
                     Read read) {
  const nlohmann::json* list = Find(object, key);
  if (list == nullptr) return absl::OkStatus();
  const std::string here = Below(place, key);
  if (!list->is_array()) return Refuse(here, *list, "is not a list");
  for (size_t i = 0; i < list->size(); ++i) {
    if (absl::Status status = read((*list)[i], At(here, i)); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status ReadStrings(const nlohmann::json& object, absl::string_view key,
                         const std::string& place, std::vector<std::string>& out);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_JSON_VALUES_H_
