#include "shim/policy/selinux_levels.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace bulkhead::policy {
namespace {

std::string PairLevel(uint32_t low, uint32_t high) { return absl::StrCat("s0:c", low, ",c", high); }

// A level of two categories as Take gives it: "s0:c5,c4" and "s0:c4.c5" are the same. None for
// others.
std::optional<std::string> NormalPair(absl::string_view level) {
  absl::string_view categories = level;
  if (!absl::ConsumePrefix(&categories, "s0:")) return std::nullopt;
  const bool run = absl::StrContains(categories, '.');
  const std::vector<absl::string_view> ends = absl::StrSplit(categories, absl::ByAnyChar(".,"));
  uint32_t pair[2];
  if (ends.size() != 2) return std::nullopt;
  for (size_t i = 0; i < 2; ++i) {
    absl::string_view end = ends[i];
    if (!absl::ConsumePrefix(&end, "c") || !absl::SimpleAtoi(end, &pair[i])) return std::nullopt;
  }
  if (run && pair[1] != pair[0] + 1) return std::nullopt;
  if (pair[0] == pair[1]) return std::nullopt;
  if (pair[0] > pair[1]) std::swap(pair[0], pair[1]);
  return PairLevel(pair[0], pair[1]);
}

// What of a level is kept: that of its high end, which tells what the process gets at.
std::string Kept(const std::string& level) {
  const std::string high = level.substr(level.find('-') + 1);
  return NormalPair(high).value_or(high);
}

}  // namespace

bool IsSelinuxPair(const std::string& level) { return NormalPair(level).has_value(); }

absl::StatusOr<std::string> SelinuxLevels::Take(const std::string& pod_id) {
  const std::lock_guard lock(mutex_);
  if (!closed_.empty()) return absl::FailedPreconditionError(closed_);
  // Pair `at` of (0, 1), (0, 2), (1, 2), (0, 3) …, counted on from a random one.
  const uint32_t pairs = categories_ * (categories_ - 1) / 2;
  const uint32_t begin = std::uniform_int_distribution<uint32_t>(0, pairs - 1)(random_);
  for (uint32_t i = 0; i < pairs; ++i) {
    const uint32_t at = (begin + i) % pairs;
    uint32_t high = 1;
    while (high * (high + 1) / 2 <= at) ++high;
    const std::string level = PairLevel(at - high * (high - 1) / 2, high);
    if (pods_by_level_.contains(level)) continue;
    pods_by_level_[level].insert(pod_id);
    return level;
  }
  return absl::ResourceExhaustedError(
      absl::StrCat("all ", pairs, " SELinux levels for pods are in use"));
}

void SelinuxLevels::Keep(const std::string& pod_id, const std::string& level) {
  if (level.empty()) return;
  const std::lock_guard lock(mutex_);
  pods_by_level_[Kept(level)].insert(pod_id);
}

void SelinuxLevels::Release(const std::string& pod_id) {
  const std::lock_guard lock(mutex_);
  for (auto& [level, pods] : pods_by_level_) pods.erase(pod_id);
  std::erase_if(pods_by_level_, [](const auto& entry) { return entry.second.empty(); });
}

void SelinuxLevels::Close(const std::string& why) {
  const std::lock_guard lock(mutex_);
  closed_ = why;
}

}  // namespace bulkhead::policy
