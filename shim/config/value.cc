#include "shim/config/value.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

namespace bulkhead::config {
namespace {

using Unit = std::pair<std::string_view, uint64_t>;

// Milliseconds. In descending order for writing; "m" must not be taken for the start of "ms".
constexpr std::array<Unit, 4> kDurationUnits = {
    {{"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}}};
constexpr std::array<Unit, 5> kSizeUnits = {{{"TiB", uint64_t{1} << 40},
                                             {"GiB", uint64_t{1} << 30},
                                             {"MiB", uint64_t{1} << 20},
                                             {"KiB", uint64_t{1} << 10},
                                             {"B", 1}}};
constexpr uint64_t kLongest = 24 * 3'600'000;

absl::Status Expected(const std::string& what, const Value& value) {
  return absl::InvalidArgumentError(absl::StrCat("expected ", what, ", found ", ToText(value)));
}

std::string Quote(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      quoted.append({'\\', c});
    } else if (byte < 0x20 || byte == 0x7f) {
      absl::StrAppendFormat(&quoted, "\\u%04x", static_cast<unsigned>(byte));
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

// Takes a number and its unit from the front of `text`. False when there is none, or it is too
// large for 64 bits.
template <size_t kCount>
bool TakeQuantity(std::string& text, const std::array<Unit, kCount>& units, uint64_t& amount) {
  const size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const size_t end = std::min(text.find_first_of("0123456789", digits), text.size());
  uint64_t number = 0;
  if (!absl::SimpleAtoi(text.substr(0, digits), &number)) return false;
  const std::string name = text.substr(digits, end - digits);
  const auto* unit = std::find_if(units.begin(), units.end(),
                                  [&](const Unit& candidate) { return candidate.first == name; });
  if (unit == units.end() || number > std::numeric_limits<uint64_t>::max() / unit->second) {
    return false;
  }
  amount = number * unit->second;
  text.erase(0, end);
  return true;
}

std::string WriteWithUnit(uint64_t amount, const Unit& unit) {
  return absl::StrCat(amount / unit.second, std::string(unit.first));
}

}  // namespace

std::string ToText(const Value& value) {
  struct Writer {
    std::string operator()(bool flag) const { return flag ? "true" : "false"; }
    std::string operator()(int64_t number) const { return absl::StrCat(number); }
    std::string operator()(const std::string& text) const { return Quote(text); }
    std::string operator()(const std::vector<std::string>& list) const {
      return absl::StrCat("[",
                          absl::StrJoin(list, ", ",
                                        [](std::string* out, const std::string& s) {
                                          absl::StrAppend(out, Quote(s));
                                        }),
                          "]");
    }
  };
  return std::visit(Writer(), value);
}

absl::StatusOr<std::string> ReadString(const Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr || text->empty()) return Expected("a string that is not empty", value);
  return *text;
}

absl::StatusOr<std::string> ReadPath(const Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr || text->empty() || text->front() != '/' ||
      text->find('\0') != std::string::npos) {
    return Expected("an absolute path", value);
  }
  std::string path = *text;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  if (std::filesystem::path(path).lexically_normal() != path) {
    return Expected("a path without \".\", \"..\" and repeated slashes", value);
  }
  return path;
}

absl::StatusOr<std::string> ReadOptionalPath(const Value& value) {
  if (value == Value(std::string())) return std::string();
  return ReadPath(value);
}

absl::StatusOr<bool> ReadBoolean(const Value& value) {
  const auto* flag = std::get_if<bool>(&value);
  if (flag == nullptr) return Expected("true or false", value);
  return *flag;
}

absl::StatusOr<std::vector<std::string>> ReadStrings(const Value& value) {
  const auto* list = std::get_if<std::vector<std::string>>(&value);
  if (list == nullptr || std::find(list->begin(), list->end(), "") != list->end()) {
    return Expected("a list of strings that are not empty", value);
  }
  return *list;
}

absl::StatusOr<std::vector<std::string>> ReadPaths(const Value& value) {
  absl::StatusOr<std::vector<std::string>> paths = ReadStrings(value);
  if (!paths.ok() || paths->empty()) {
    return Expected("a list of absolute paths that is not empty", value);
  }
  for (std::string& path : *paths) {
    absl::StatusOr<std::string> read = ReadPath(path);
    if (!read.ok()) return read.status();
    path = *std::move(read);
  }
  return paths;
}

absl::StatusOr<int64_t> ReadInteger(const Value& value, int64_t lowest, int64_t highest) {
  const auto* number = std::get_if<int64_t>(&value);
  if (number == nullptr || *number < lowest || *number > highest) {
    return Expected(absl::StrCat("a whole number from ", lowest, " to ", highest), value);
  }
  return *number;
}

absl::StatusOr<std::chrono::milliseconds> ReadDuration(const Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  std::string rest = text == nullptr ? "" : *text;
  uint64_t total = 0;
  while (!rest.empty() && total <= kLongest) {
    uint64_t part = 0;
    if (!TakeQuantity(rest, kDurationUnits, part)) break;
    total = std::min(part, kLongest + 1) + total;
  }
  if (!rest.empty() || total == 0 || total > kLongest) {
    return Expected("a duration such as \"90s\", \"1m30s\" or \"250ms\", at most a day", value);
  }
  return std::chrono::milliseconds(total);
}

Value WriteDuration(std::chrono::milliseconds duration) {
  auto left = static_cast<uint64_t>(duration.count());
  std::string text;
  for (const Unit& unit : kDurationUnits) {
    if (left >= unit.second) absl::StrAppend(&text, WriteWithUnit(left, unit));
    left %= unit.second;
  }
  return text.empty() ? "0s" : text;
}

absl::StatusOr<uint64_t> ReadSize(const Value& value, uint64_t lowest, uint64_t highest) {
  uint64_t size = 0;
  bool valid = false;
  if (const auto* number = std::get_if<int64_t>(&value)) {
    valid = *number >= 0;
    size = static_cast<uint64_t>(*number);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    std::string rest = *text;
    valid = TakeQuantity(rest, kSizeUnits, size) && rest.empty();
  }
  if (valid && size >= lowest && size <= highest) return size;
  return Expected(
      absl::StrCat("a size from ", std::get<std::string>(WriteSize(lowest)), " to ",
                   std::get<std::string>(WriteSize(highest)), ", as bytes or such as \"16KiB\""),
      value);
}

Value WriteSize(uint64_t bytes) {
  for (const Unit& unit : kSizeUnits) {
    if (bytes >= unit.second && bytes % unit.second == 0) return WriteWithUnit(bytes, unit);
  }
  return "0B";
}

}  // namespace bulkhead::config
