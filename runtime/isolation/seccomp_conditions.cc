#include "runtime/isolation/seccomp_conditions.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "runtime/isolation/capabilities.h"
#include "runtime/isolation/json_values.h"

namespace bulkhead::isolation {

using nlohmann::json;

namespace {

// The conditions have Go's names for machines.
std::string GoName(const std::string& machine) {
  if (machine == "x86_64") return "amd64";
  if (machine == "aarch64") return "arm64";
  return machine;
}

// What a condition asks for, and whether it holds here.
struct Condition {
  bool given = false;
  bool holds = false;
};

struct ConditionSet {
  Condition architectures;    // The machine is one of them.
  std::vector<bool> holding;  // For each capability whether the container has it.
  Condition kernel;           // The host's is this one or newer.
};

absl::StatusOr<bool> HasCapability(const json& value, const std::string& place,
                                   uint64_t capabilities) {
  absl::StatusOr<std::string> name = ReadString(value, place);
  if (!name.ok()) return name.status();
  const std::optional<int> number = CapabilityNumber(*name);
  if (!number.has_value()) return Refuse(place, value, "is not a capability");
  return (capabilities >> *number & 1) != 0;
}

std::optional<std::pair<int, int>> ParseVersion(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, absl::MaxSplits('.', 2));
  if (parts.size() < 2) return std::nullopt;
  const absl::string_view minor =
      parts[1].substr(0, std::min(parts[1].size(), parts[1].find_first_not_of("0123456789")));
  std::pair<int, int> version;
  if (!absl::SimpleAtoi(parts[0], &version.first) || !absl::SimpleAtoi(minor, &version.second)) {
    return std::nullopt;
  }
  return version;
}

absl::Status ReadKernel(const json& from, const std::string& place, const std::string& release,
                        Condition& kernel) {
  const json* value = Find(from, "minKernel");
  if (value == nullptr || *value == "") return absl::OkStatus();
  const std::string here = Below(place, "minKernel");
  absl::StatusOr<std::string> text = ReadString(*value, here);
  if (!text.ok()) return text.status();
  const std::optional<std::pair<int, int>> wanted = ParseVersion(*text);
  if (!wanted.has_value()) return Refuse(here, *value, "is not a version such as \"4.8\"");
  const std::optional<std::pair<int, int>> own = ParseVersion(release);
  if (!own.has_value()) return Refuse(here, absl::StrCat("this kernel calls itself ", release));
  kernel = {.given = true, .holds = *own >= *wanted};
  return absl::OkStatus();
}

absl::StatusOr<ConditionSet> ReadConditions(const json& rule, absl::string_view key,
                                            const std::string& place,
                                            const SeccompConditions& conditions) {
  ConditionSet set;
  const json* from = Find(rule, key);
  if (from == nullptr) return set;
  const std::string here = Below(place, key);
  absl::Status status = CheckKeys(*from, here, {"arches", "caps", "minKernel"}, OtherKeys::kRefuse);
  if (!status.ok()) return status;
  std::vector<std::string> architectures;
  if (status = ReadStrings(*from, "arches", here, architectures); !status.ok()) return status;
  const std::string own = GoName(conditions.machine);
  set.architectures = {
      .given = !architectures.empty(),
      .holds = std::find(architectures.begin(), architectures.end(), own) != architectures.end()};
  status = ForEach(*from, "caps", here, [&](const json& value, const std::string& at) {
    absl::StatusOr<bool> holds = HasCapability(value, at, conditions.capabilities);
    if (holds.ok()) set.holding.push_back(*holds);
    return holds.status();
  });
  if (!status.ok()) return status;
  status = ReadKernel(*from, here, conditions.kernel_release, set.kernel);
  if (!status.ok()) return status;
  return set;
}

}  // namespace

absl::StatusOr<bool> RuleApplies(const json& rule, const std::string& place,
                                 const SeccompConditions& conditions) {
  absl::StatusOr<ConditionSet> includes = ReadConditions(rule, "includes", place, conditions);
  if (!includes.ok()) return includes.status();
  absl::StatusOr<ConditionSet> excludes = ReadConditions(rule, "excludes", place, conditions);
  if (!excludes.ok()) return excludes.status();
  for (const Condition& condition : {includes->architectures, includes->kernel}) {
    if (condition.given && !condition.holds) return false;
  }
  for (const Condition& condition : {excludes->architectures, excludes->kernel}) {
    if (condition.given && condition.holds) return false;
  }
  for (const bool holds : includes->holding) {
    if (!holds) return false;
  }
  for (const bool holds : excludes->holding) {
    if (holds) return false;
  }
  return true;
}

}  // namespace bulkhead::isolation
