#include "runtime/isolation/systemd_units.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "runtime/isolation/cgroup_resources.h"

namespace bulkhead::isolation {
namespace {

constexpr uint64_t kInfinity = std::numeric_limits<uint64_t>::max();
constexpr char kScopePrefix[] = "bulkhead-";
constexpr size_t kLongestName = 255;  // Of a unit, systemd.unit(5), and of a directory.

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

std::string LastElement(std::string_view path) {
  return std::string(path.substr(path.rfind('/') + 1));
}

// systemd writes "_cpu.slice" for a cgroup that the kernel could take for a file of its own.
bool IsEscaped(absl::string_view name) {
  constexpr absl::string_view kPrefixes[] = {
      "_",       ".",        "cgroup.", "cpu.",     "cpuacct.", "cpuset.", "io.", "blkio.",
      "memory.", "devices.", "pids.",   "hugetlb.", "rdma.",    "misc.",   "bpf-"};
  return absl::c_any_of(kPrefixes,
                        [&](absl::string_view prefix) { return absl::StartsWith(name, prefix); });
}

bool IsSliceCharacter(char c) { return absl::ascii_isalnum(c) || absl::StrContains(":_.\\-", c); }

uint64_t LimitOf(int64_t limit) { return limit < 0 ? kInfinity : static_cast<uint64_t>(limit); }

// systemd keeps whole percents of a CPU, rounded down, which for less than one would be no limit
// at all. The file gets the exact value afterwards.
uint64_t CpuTimePerSecond(int64_t quota, int64_t period) {
  constexpr uint64_t kSecond = 1'000'000, kPercent = 10'000;
  if (quota < 0) return kInfinity;
  const uint64_t exact = static_cast<uint64_t>(quota) * kSecond / static_cast<uint64_t>(period);
  return (exact + kPercent - 1) / kPercent * kPercent;
}

// "0-3,7" as the bits of bytes, lowest first.
absl::StatusOr<std::vector<uint8_t>> SetBits(const std::string& list, const std::string& field) {
  constexpr uint32_t kHighest = 8191;  // Far above the CPUs and nodes that Linux takes.
  std::vector<uint8_t> bits;
  for (const absl::string_view part : absl::StrSplit(list, ',')) {
    const std::vector<absl::string_view> ends = absl::StrSplit(part, absl::MaxSplits('-', 1));
    uint32_t first = 0, last = 0;
    if (!absl::SimpleAtoi(ends.front(), &first) || !absl::SimpleAtoi(ends.back(), &last) ||
        first > last || last > kHighest) {
      return absl::InvalidArgumentError(absl::StrCat(field, ": \"", list, "\" is not a list"));
    }
    bits.resize(std::max<size_t>(bits.size(), last / 8 + 1));
    for (uint32_t bit = first; bit <= last; ++bit) bits[bit / 8] |= 1 << bit % 8;
  }
  return bits;
}

// Collects properties; the first that cannot be told decides the result.
class Properties {
 public:
  void Add(const char* name, UnitProperty::Value value) {
    properties_.push_back({name, std::move(value)});
  }
  void AddSet(const char* name, const std::string& list, const std::string& field) {
    absl::StatusOr<std::vector<uint8_t>> bits = SetBits(list, field);
    if (bits.ok()) {
      Add(name, *std::move(bits));
    } else {
      status_.Update(bits.status());
    }
  }
  // "max" or a number, as in files of v2.
  void AddLimit(const char* name, const std::string& text, const std::string& field) {
    uint64_t limit = kInfinity;
    if (text != "max" && !absl::SimpleAtoi(text, &limit)) {
      status_.Update(absl::InvalidArgumentError(
          absl::StrCat(field, ": \"", text, "\" is neither a number nor \"max\"")));
    }
    Add(name, limit);
  }
  void AddCpuMax(int64_t quota, int64_t period) {
    Add("CPUQuotaPeriodUSec", static_cast<uint64_t>(period));
    Add("CPUQuotaPerSecUSec", CpuTimePerSecond(quota, period));
  }
  void Refuse(absl::Status status) { status_.Update(status); }

  absl::StatusOr<std::vector<UnitProperty>> Result() && {
    if (!status_.ok()) return status_;
    return std::move(properties_);
  }

 private:
  std::vector<UnitProperty> properties_;
  absl::Status status_;
};

void AddCpu(const spec::Resources& resources, Properties& properties) {
  constexpr int64_t kDefaultPeriod = 100'000;
  if (resources.cpu_shares != 0) properties.Add("CPUWeight", CpuWeight(resources.cpu_shares));
  if (resources.cpu_quota != 0) {
    const int64_t period = resources.cpu_period > 0 ? resources.cpu_period : kDefaultPeriod;
    properties.AddCpuMax(resources.cpu_quota, period);
  }
  if (!resources.cpuset_cpus.empty()) {
    properties.AddSet("AllowedCPUs", resources.cpuset_cpus, "cpuset_cpus");
  }
  if (!resources.cpuset_mems.empty()) {
    properties.AddSet("AllowedMemoryNodes", resources.cpuset_mems, "cpuset_mems");
  }
}

void AddMemory(const spec::Resources& resources, Properties& properties) {
  const int64_t memory = resources.memory_limit, both = resources.memory_swap_limit;
  if (memory != 0) properties.Add("MemoryMax", LimitOf(memory));
  if (both < 0) properties.Add("MemorySwapMax", kInfinity);
  if (both > 0 && memory > 0 && both >= memory)
    properties.Add("MemorySwapMax", LimitOf(both - memory));
}

void AddUnifiedCpuMax(const std::string& value, const std::string& field, Properties& properties) {
  const std::vector<absl::string_view> parts = absl::StrSplit(value, ' ', absl::SkipEmpty());
  int64_t quota = -1, period = 100'000;
  const bool sound = !parts.empty() && parts.size() <= 2 &&
                     (parts[0] == "max" || absl::SimpleAtoi(parts[0], &quota)) &&
                     (parts.size() == 1 || absl::SimpleAtoi(parts[1], &period)) && period > 0;
  if (sound) return properties.AddCpuMax(quota, period);
  properties.Refuse(
      absl::InvalidArgumentError(absl::StrCat(field, ": \"", value, "\" is not a quota")));
}

void AddUnified(const std::string& file, const std::string& written, Properties& properties) {
  constexpr struct {
    const char* file;
    const char* property;
  } kLimits[] = {{"cpu.weight", "CPUWeight"}, {"memory.min", "MemoryMin"},
                 {"memory.low", "MemoryLow"}, {"memory.high", "MemoryHigh"},
                 {"memory.max", "MemoryMax"}, {"memory.swap.max", "MemorySwapMax"},
                 {"pids.max", "TasksMax"}};
  constexpr absl::string_view kReset[] = {
      "cpu.idle", "io.weight",        "io.bfq.weight",         "io.latency",
      "io.max",   "memory.zswap.max", "memory.zswap.writeback"};
  const std::string field = absl::StrCat("unified[\"", file, "\"]");
  const std::string value(absl::StripAsciiWhitespace(written));
  for (const auto& limit : kLimits) {
    if (file == limit.file) return properties.AddLimit(limit.property, value, field);
  }
  if (file == "cpu.max") return AddUnifiedCpuMax(value, field, properties);
  if (file == "cpuset.cpus") return properties.AddSet("AllowedCPUs", value, field);
  if (file == "cpuset.mems") return properties.AddSet("AllowedMemoryNodes", value, field);
  if (absl::c_linear_search(kReset, file)) {
    properties.Refuse(absl::FailedPreconditionError(absl::StrCat(
        field, ": systemd would reset it with the next daemon-reload; the cgroupfs driver can")));
  }
}

}  // namespace

absl::StatusOr<std::string> SlicePath(std::string_view slice) {
  absl::string_view stem = View(slice);
  const bool sound = absl::ConsumeSuffix(&stem, ".slice") && slice.size() <= kLongestName &&
                     !stem.empty() && absl::c_all_of(stem, IsSliceCharacter) &&
                     !absl::StartsWith(stem, "-") && !absl::EndsWith(stem, "-") &&
                     !absl::StrContains(stem, "--") && !IsEscaped(View(slice));
  if (!sound) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", View(slice), "\" is not the name of a systemd slice"));
  }
  std::string path;
  for (size_t end = stem.find('-'); end != absl::string_view::npos; end = stem.find('-', end + 1)) {
    absl::StrAppend(&path, "/", stem.substr(0, end), ".slice");
  }
  return absl::StrCat(path, "/", View(slice));
}

std::string SliceOfCgroup(std::string_view path) {
  std::string name;
  for (const absl::string_view part : absl::StrSplit(View(path), '/', absl::SkipEmpty())) {
    absl::StrAppend(&name, name.empty() ? "" : "-", absl::StrReplaceAll(part, {{"-", "_"}}));
  }
  return name + ".slice";
}

std::string ScopeName(std::string_view id) {
  return absl::StrCat(kScopePrefix, View(id), ".scope");
}

std::string IdOfScope(std::string_view name) {
  absl::string_view id = View(name);
  const bool scope = absl::ConsumePrefix(&id, kScopePrefix) && absl::ConsumeSuffix(&id, ".scope");
  return scope ? std::string(id) : "";
}

std::string ScopeOf(std::string_view path) {
  const std::string name = LastElement(path);
  return IdOfScope(name).empty() ? "" : name;
}

std::string SliceOf(std::string_view path) {
  const std::string name = LastElement(path);
  return name.ends_with(".slice") ? name : "";
}

std::vector<UnitProperty> ScopeProperties(std::string_view path, uint32_t pid) {
  const std::string scope = LastElement(path);
  return {
      {"Description", absl::StrCat("Container ", scope)},
      {"Slice", LastElement(path.substr(0, path.rfind('/')))},
      {"PIDs", std::vector<uint32_t>{pid}},
      // What is below the scope is ours, and every controller is there for it.
      {"Delegate", true},
      // Pods are ended by the kubelet, not with the first step of a shutdown.
      {"DefaultDependencies", false},
      // Nothing is left of one whose process was killed for its memory.
      {"CollectMode", std::string("inactive-or-failed")},
      // systemd's own default is a share of pid_max.
      {"TasksMax", kInfinity},
  };
}

absl::StatusOr<std::vector<UnitProperty>> ResourceProperties(const spec::Resources& resources) {
  Properties properties;
  AddCpu(resources, properties);
  AddMemory(resources, properties);
  if (resources.pids_limit != 0) properties.Add("TasksMax", LimitOf(resources.pids_limit));
  for (const auto& [file, value] : resources.unified) AddUnified(file, value, properties);
  return std::move(properties).Result();
}

}  // namespace bulkhead::isolation
