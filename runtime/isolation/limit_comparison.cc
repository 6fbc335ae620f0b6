#include "runtime/isolation/limit_comparison.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

namespace bulkhead::isolation {
namespace {

// v1 has no word for "no limit": the largest size, rounded down to pages.
constexpr int64_t kUnlimited = int64_t{1} << 62;
constexpr int64_t kLargestPage = int64_t{1} << 30;

std::optional<int64_t> Limit(absl::string_view text) {
  int64_t value = 0;
  if (text == "max" || text == "-1") return INT64_MAX;
  if (!absl::SimpleAtoi(text, &value)) return std::nullopt;
  return value >= kUnlimited ? INT64_MAX : value;
}

// A weight is no bound: neither more nor less of it is tighter.
bool IsWeight(const std::string& name) {
  return absl::EndsWith(name, ".shares") || absl::EndsWith(name, ".weight");
}

// What is kept back (memory.min) rather than limited is the same.
bool IsProtection(const std::string& name) {
  return absl::EndsWith(name, ".min") || absl::EndsWith(name, ".low");
}

std::optional<std::set<int>> ParseList(absl::string_view text) {
  std::set<int> numbers;
  for (absl::string_view part : absl::StrSplit(text, ',', absl::SkipEmpty())) {
    const std::vector<absl::string_view> ends = absl::StrSplit(part, '-');
    int first = 0;
    int last = 0;
    if (!absl::SimpleAtoi(ends.front(), &first) || !absl::SimpleAtoi(ends.back(), &last)) {
      return std::nullopt;
    }
    for (int number = first; number <= last; ++number) numbers.insert(number);
  }
  return numbers;
}

Verdict CompareLists(const std::string& planned, const std::string& actual) {
  const auto wanted = ParseList(planned);
  const auto found = ParseList(actual);
  if (!wanted || !found) return Verdict::kDiffers;
  if (*wanted == *found) return Verdict::kAsPlanned;
  return std::ranges::includes(*wanted, *found) ? Verdict::kTighter : Verdict::kDiffers;
}

Verdict CompareNumbers(int64_t planned, int64_t actual, int64_t rounding) {
  if (actual > planned) return Verdict::kDiffers;
  return planned - actual < rounding ? Verdict::kAsPlanned : Verdict::kTighter;
}

}  // namespace

Verdict CompareLimit(const std::string& file, const std::string& planned,
                     const std::string& actual) {
  if (planned == actual) return Verdict::kAsPlanned;
  const std::string name = file.substr(file.rfind('/') + 1);
  if (name == "cpuset.cpus" || name == "cpuset.mems") return CompareLists(planned, actual);
  // Of "QUOTA PERIOD" the second may be left out; of a file with a line a device, one was written.
  if (absl::StartsWith(actual, planned + " ")) return Verdict::kAsPlanned;
  const std::vector<std::string> lines = absl::StrSplit(actual, '\n');
  if (std::ranges::find(lines, planned) != lines.end()) return Verdict::kAsPlanned;
  const std::optional<int64_t> wanted = Limit(planned);
  const std::optional<int64_t> found = Limit(actual);
  if (!wanted || !found) return Verdict::kDiffers;
  if (IsWeight(name) || IsProtection(name)) {
    const bool page =
        IsProtection(name) && CompareNumbers(*wanted, *found, 4096) == Verdict::kAsPlanned;
    return page ? Verdict::kAsPlanned : Verdict::kDiffers;
  }
  int64_t rounding = 1;
  if (absl::StartsWith(name, "memory.")) rounding = 4096;
  if (absl::StartsWith(name, "hugetlb.")) rounding = kLargestPage;
  return CompareNumbers(*wanted, *found, rounding);
}

}  // namespace bulkhead::isolation
