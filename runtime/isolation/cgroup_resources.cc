#include "runtime/isolation/cgroup_resources.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace bulkhead::isolation {
namespace {

// Collects writes; the first that cannot be planned decides the result.
class Writes {
 public:
  explicit Writes(const CgroupState& state) : state_(state) {}

  void Add(const std::string& file, std::string value, const std::string& field) {
    if (!state_.has_file(file)) {
      Refuse(absl::FailedPreconditionError(
          absl::StrCat(field, ": the host's cgroups have no ", file)));
      return;
    }
    writes_.push_back({file, std::move(value), field});
  }
  void Refuse(absl::Status status) { status_.Update(status); }

  absl::StatusOr<std::vector<CgroupWrite>> Result() && {
    if (!status_.ok()) return status_;
    return std::move(writes_);
  }

 private:
  const CgroupState& state_;
  absl::Status status_;
  std::vector<CgroupWrite> writes_;
};

// A limit on swap is trivially kept where there is no swap space.
bool NeedsSwapFile(const spec::Resources& resources, const CgroupState& state) {
  return resources.memory_swap_limit > 0 && state.swap_in_use;
}

void CheckSwap(const spec::Resources& resources, Writes& writes) {
  const int64_t swap = resources.memory_swap_limit;
  if (swap > 0 && (resources.memory_limit < 0 || swap < resources.memory_limit)) {
    writes.Refuse(absl::InvalidArgumentError(absl::StrCat("memory_swap_limit_in_bytes: ", swap,
                                                          " is less than the memory limit ",
                                                          resources.memory_limit)));
  }
}

void AddV1Memory(const spec::Resources& resources, const CgroupState& state, Writes& writes) {
  constexpr char kMemory[] = "memory.limit_in_bytes";
  constexpr char kBoth[] = "memory.memsw.limit_in_bytes";
  CheckSwap(resources, writes);
  const bool swap = resources.memory_swap_limit != 0 &&
                    (state.has_file(kBoth) || NeedsSwapFile(resources, state));
  const auto add_swap = [&] {
    if (swap) {
      writes.Add(kBoth, absl::StrCat(resources.memory_swap_limit), "memory_swap_limit_in_bytes");
    }
  };
  // The kernel keeps memory <= memory and swap at every moment.
  const bool swap_first =
      resources.memory_swap_limit < 0 ||
      (state.memory_and_swap >= 0 && resources.memory_swap_limit > state.memory_and_swap);
  if (swap_first) add_swap();
  if (resources.memory_limit != 0) {
    writes.Add(kMemory, absl::StrCat(resources.memory_limit), "memory_limit_in_bytes");
  }
  if (!swap_first) add_swap();
}

void AddV2Memory(const spec::Resources& resources, const CgroupState& state, Writes& writes) {
  constexpr char kSwap[] = "memory.swap.max";
  const auto text = [](int64_t limit) { return limit < 0 ? "max" : absl::StrCat(limit); };
  CheckSwap(resources, writes);
  if (resources.memory_limit != 0) {
    writes.Add("memory.max", text(resources.memory_limit), "memory_limit_in_bytes");
  }
  const int64_t both = resources.memory_swap_limit;
  if (both == 0 || (!state.has_file(kSwap) && !NeedsSwapFile(resources, state))) return;
  if (both > 0 && resources.memory_limit == 0) {
    writes.Refuse(absl::InvalidArgumentError(
        "memory_swap_limit_in_bytes: needs memory_limit_in_bytes on cgroup v2"));
    return;
  }
  writes.Add(kSwap, text(both < 0 ? both : both - resources.memory_limit),
             "memory_swap_limit_in_bytes");
}

void AddCpuset(const spec::Resources& resources, Writes& writes) {
  if (!resources.cpuset_cpus.empty()) {
    writes.Add("cpuset.cpus", resources.cpuset_cpus, "cpuset_cpus");
  }
  if (!resources.cpuset_mems.empty()) {
    writes.Add("cpuset.mems", resources.cpuset_mems, "cpuset_mems");
  }
}

void AddHugepages(const spec::Resources& resources, const CgroupState& state,
                  const std::string& suffix, Writes& writes) {
  for (size_t i = 0; i < resources.hugepage_limits.size(); ++i) {
    const spec::HugepageLimit& limit = resources.hugepage_limits[i];
    const std::string field = absl::StrCat("hugepage_limits[", i, "] of ", limit.page_size);
    if (limit.page_size.find_first_not_of("0123456789KMGB") != std::string::npos) {
      writes.Refuse(absl::InvalidArgumentError(absl::StrCat(field, ": not a page size")));
      continue;
    }
    const std::string file = absl::StrCat("hugetlb.", limit.page_size, ".", suffix);
    if (!IsRealHugepageLimit(limit.limit) && !state.has_file(file)) continue;
    writes.Add(file, absl::StrCat(limit.limit), field);
    // The other one alone lets a mapping succeed whose first use is a SIGBUS.
    const std::string reserved = absl::StrCat("hugetlb.", limit.page_size, ".rsvd.", suffix);
    if (state.has_file(reserved)) writes.Add(reserved, absl::StrCat(limit.limit), field);
  }
}

void AddV1Cpu(const spec::Resources& resources, Writes& writes) {
  if (resources.cpu_shares != 0) {
    writes.Add("cpu.shares", absl::StrCat(resources.cpu_shares), "cpu_shares");
  }
  // Period and quota are taken together by the writer: which may come first depends on both.
  if (resources.cpu_period != 0) {
    writes.Add("cpu.cfs_period_us", absl::StrCat(resources.cpu_period), "cpu_period");
  }
  if (resources.cpu_quota != 0) {
    writes.Add("cpu.cfs_quota_us", absl::StrCat(resources.cpu_quota), "cpu_quota");
  }
}

void AddV2Cpu(const spec::Resources& resources, const CgroupState& state, Writes& writes) {
  if (resources.cpu_shares != 0) {
    writes.Add("cpu.weight", absl::StrCat(CpuWeight(resources.cpu_shares)), "cpu_shares");
  }
  if (resources.cpu_quota == 0 && resources.cpu_period == 0) return;
  std::string quota = resources.cpu_quota < 0 ? "max" : absl::StrCat(resources.cpu_quota);
  if (resources.cpu_quota == 0) quota = state.cpu_max.substr(0, state.cpu_max.find(' '));
  if (quota.empty()) quota = "max";
  if (resources.cpu_period != 0) absl::StrAppend(&quota, " ", resources.cpu_period);
  writes.Add("cpu.max", quota, resources.cpu_quota != 0 ? "cpu_quota" : "cpu_period");
}

void AddPids(const spec::Resources& resources, Writes& writes) {
  if (resources.pids_limit == 0) return;
  writes.Add("pids.max", absl::StrCat(resources.pids_limit), "pids_limit");
}

// A controller's file: nothing that moves processes or reaches out of the cgroup.
bool IsUnifiedName(const std::string& name) {
  const size_t dot = name.find('.');
  return dot != std::string::npos && dot != 0 && !absl::StartsWith(name, "cgroup.") &&
         name.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._") ==
             std::string::npos;
}

void AddUnified(const spec::Resources& resources, Writes& writes) {
  for (const auto& [name, value] : resources.unified) {
    const std::string field = absl::StrCat("unified[\"", name, "\"]");
    if (!IsUnifiedName(name)) {
      writes.Refuse(absl::InvalidArgumentError(absl::StrCat(field, ": not a controller's file")));
      continue;
    }
    // Files such as io.max take one line a write.
    for (absl::string_view line : absl::StrSplit(value, '\n', absl::SkipEmpty())) {
      writes.Add(name, std::string(line), field);
    }
  }
}

}  // namespace

uint64_t CpuWeight(int64_t shares) {
  const int64_t clamped = std::clamp<int64_t>(shares, 2, 262144);
  if (clamped == 262144) return 10000;
  const double l = std::log2(static_cast<double>(clamped));
  const double exponent = (l * l + 125 * l) / 612.0 - 7.0 / 34.0;
  return static_cast<uint64_t>(std::ceil(std::pow(10, exponent) - 1e-9));
}

bool IsRealHugepageLimit(uint64_t limit) {
  // v1 rounds "unlimited" down to a page below 2^63.
  constexpr uint64_t kUnlimited = (uint64_t{1} << 63) - (uint64_t{1} << 31);
  return limit != 0 && limit < kUnlimited;
}

absl::StatusOr<std::vector<CgroupWrite>> PlanV1Writes(const spec::Resources& resources,
                                                      const CgroupState& state) {
  Writes writes(state);
  if (!resources.unified.empty()) {
    writes.Refuse(absl::FailedPreconditionError(
        absl::StrCat("unified[\"", resources.unified.begin()->first,
                     "\"]: the host's controllers are on cgroup v1")));
  }
  AddV1Cpu(resources, writes);
  AddCpuset(resources, writes);
  AddV1Memory(resources, state, writes);
  AddHugepages(resources, state, "limit_in_bytes", writes);
  AddPids(resources, writes);
  return std::move(writes).Result();
}

absl::StatusOr<std::vector<CgroupWrite>> PlanV2Writes(const spec::Resources& resources,
                                                      const CgroupState& state) {
  Writes writes(state);
  AddV2Cpu(resources, state, writes);
  AddCpuset(resources, writes);
  AddV2Memory(resources, state, writes);
  AddHugepages(resources, state, "max", writes);
  AddPids(resources, writes);
  AddUnified(resources, writes);
  return std::move(writes).Result();
}

}  // namespace bulkhead::isolation
