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

// A weight is no bound: neither more nor less of it is tighter. Nor is a period.
bool IsWeight(const std::string& name) {
  return absl::EndsWith(name, ".shares") || absl::EndsWith(name, ".weight") ||
         name == "cpu.cfs_period_us";
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
  return std::ranges::includes(*wanted, *found) ? Verdict::kByItself : Verdict::kDiffers;
}

// "8:0 rbps=10 wiops=5" beside the line of the device, which has every key.
bool HasDeviceLine(const std::string& planned, const std::string& actual) {
  const std::vector<std::string> wanted = absl::StrSplit(planned, ' ', absl::SkipEmpty());
  for (absl::string_view line : absl::StrSplit(actual, '\n')) {
    const std::vector<std::string> found = absl::StrSplit(line, ' ', absl::SkipEmpty());
    const auto holds = [&](const std::string& word) {
      return std::ranges::find(found, word) != found.end();
    };
    if (!wanted.empty() && std::ranges::all_of(wanted, holds)) return true;
  }
  return false;
}

Verdict CompareNumbers(int64_t planned, int64_t actual, int64_t rounding) {
  if (actual > planned) return Verdict::kDiffers;
  return planned - actual < rounding ? Verdict::kAsPlanned : Verdict::kByItself;
}

}  // namespace

Verdict CompareLimit(const std::string& file, const std::string& planned,
                     const std::string& actual) {
  if (planned == actual) return Verdict::kAsPlanned;
  const std::string name = file.substr(file.rfind('/') + 1);
  if (name == "cpuset.cpus" || name == "cpuset.mems") return CompareLists(planned, actual);
  // Of "QUOTA PERIOD" the second may be left out, of a weight the word that it is the default one.
  if (absl::StartsWith(actual, planned + " ")) return Verdict::kAsPlanned;
  if (actual == "default " + planned) return Verdict::kAsPlanned;
  if (absl::StartsWith(name, "io.") && HasDeviceLine(planned, actual)) return Verdict::kAsPlanned;
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
