#include "runtime/spec/selinux.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace bulkhead::spec {
namespace {

// The number of "s0" or "c1023"; SimpleAtoi alone would take signs and blanks.
std::optional<uint32_t> NumberAfter(absl::string_view text, absl::string_view letter) {
  uint32_t number = 0;
  if (!absl::ConsumePrefix(&text, letter) || text.empty() ||
      !std::all_of(text.begin(), text.end(), absl::ascii_isdigit) ||
      !absl::SimpleAtoi(text, &number)) {
    return std::nullopt;
  }
  return number;
}

bool IsCategories(absl::string_view text) {
  const std::vector<absl::string_view> ends = absl::StrSplit(text, '.');
  if (ends.size() > 2) return false;
  const std::optional<uint32_t> first = NumberAfter(ends.front(), "c");
  const std::optional<uint32_t> last = NumberAfter(ends.back(), "c");
  return first && last && (ends.size() == 1 || *first < *last);
}

bool IsOneLevel(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits(':', 1));
  if (!NumberAfter(parts.front(), "s")) return false;
  if (parts.size() == 1) return true;
  const std::vector<absl::string_view> categories = absl::StrSplit(parts.back(), ',');
  return std::all_of(categories.begin(), categories.end(), IsCategories);
}

}  // namespace

bool IsSelinuxName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '-' || c == '.';
  });
}

bool IsSelinuxLevel(std::string_view level) {
  const std::vector<absl::string_view> ends =
      absl::StrSplit(absl::string_view(level.data(), level.size()), '-');
  return ends.size() <= 2 && std::all_of(ends.begin(), ends.end(), IsOneLevel);
}

}  // namespace bulkhead::spec
