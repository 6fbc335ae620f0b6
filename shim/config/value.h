#ifndef BULKHEAD_SHIM_CONFIG_VALUE_H_
#define BULKHEAD_SHIM_CONFIG_VALUE_H_

#include <chrono>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"

namespace bulkhead::config {

// What a key's value is in the file, before it is known what it should be.
using Value = std::variant<bool, int64_t, std::string, std::vector<std::string>>;

// The value as the file writes it.
std::string ToText(const Value& value);

// Reading and writing values; the errors say what was expected and what was found.

absl::StatusOr<std::string> ReadString(const Value& value);
// Absolute, without "." or ".." in it; a slash at the end is dropped.
absl::StatusOr<std::string> ReadPath(const Value& value);
absl::StatusOr<std::string> ReadOptionalPath(const Value& value);  // Or an empty string.
absl::StatusOr<bool> ReadBoolean(const Value& value);
absl::StatusOr<std::vector<std::string>> ReadStrings(const Value& value);
absl::StatusOr<std::vector<std::string>> ReadPaths(const Value& value);
absl::StatusOr<int64_t> ReadInteger(const Value& value, int64_t lowest, int64_t highest);
// "90s", "1m30s", "250ms"; above zero, at most a day.
absl::StatusOr<std::chrono::milliseconds> ReadDuration(const Value& value);
Value WriteDuration(std::chrono::milliseconds duration);
// Bytes as a number, or with one of the units B, KiB, MiB, GiB, TiB.
absl::StatusOr<uint64_t> ReadSize(const Value& value, uint64_t lowest, uint64_t highest);
Value WriteSize(uint64_t bytes);

}  // namespace bulkhead::config

#endif  // BULKHEAD_SHIM_CONFIG_VALUE_H_
