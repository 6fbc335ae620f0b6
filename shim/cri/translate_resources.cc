#include "shim/cri/translate_resources.h"

#include <limits>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace bulkhead::cri {
namespace {

namespace v1 = ::runtime::v1;

constexpr int64_t kNoLimit = -1;
constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
// What the kernel takes as a CPU period, microseconds (sched-bwc.rst).
constexpr int64_t kShortestPeriod = 1'000;
constexpr int64_t kLongestPeriod = 1'000'000;

// The list format of cpuset(7), without whitespace: "0-3,8".
bool IsCpuList(absl::string_view list) {
  for (const char c : list) {
    if (!absl::ascii_isdigit(c) && c != '-' && c != ',') return false;
  }
  return true;
}

void CheckCpuList(const Field& field, absl::string_view list, Faults& faults) {
  if (!IsCpuList(list)) faults.InvalidValue(field, list, "is not a list such as \"0-2,7\"");
}

// As the hugetlb controller names its files: "64KB", "2MB", "1GB".
bool IsPageSize(absl::string_view size) {
  if (!absl::ConsumeSuffix(&size, "KB") && !absl::ConsumeSuffix(&size, "MB") &&
      !absl::ConsumeSuffix(&size, "GB")) {
    return false;
  }
  for (const char c : size) {
    if (!absl::ascii_isdigit(c)) return false;
  }
  return !size.empty();
}

std::vector<spec::HugepageLimit> ToHugepageLimits(const v1::LinuxContainerResources& resources,
                                                  const Field& field, Faults& faults) {
  std::vector<spec::HugepageLimit> limits;
  for (int i = 0; i < resources.hugepage_limits_size(); ++i) {
    const v1::HugepageLimit& limit = resources.hugepage_limits(i);
    if (!IsPageSize(limit.page_size())) {
      faults.InvalidValue(field.Element(i).Member("page_size"), limit.page_size(),
                          "is not a page size such as \"2MB\"");
    }
    limits.push_back({.page_size = limit.page_size(), .limit = limit.limit()});
  }
  return limits;
}

// The keys become file names in the container's cgroup and must not lead out of it.
void CheckUnified(const v1::LinuxContainerResources& resources, const Field& field,
                  Faults& faults) {
  for (const auto& [key, value] : resources.unified()) {
    if (key.empty() || key == "." || key == ".." || absl::StrContains(key, '/')) {
      faults.InvalidValue(field, key, "is not the name of a cgroup file");
    }
    faults.NoNul(field.Entry(key), key);
    faults.NoNul(field.Entry(key), value);
  }
}

void CheckNumbers(const v1::LinuxContainerResources& resources, const Field& field,
                  Faults& faults) {
  if (resources.cpu_period() != 0) {
    faults.InRange(field.Member("cpu_period"), resources.cpu_period(), kShortestPeriod,
                   kLongestPeriod);
  }
  faults.InRange(field.Member("cpu_quota"), resources.cpu_quota(), kNoLimit, kMax);
  faults.InRange(field.Member("cpu_shares"), resources.cpu_shares(), 0, kMax);
  faults.InRange(field.Member("memory_limit_in_bytes"), resources.memory_limit_in_bytes(), kNoLimit,
                 kMax);
  faults.InRange(field.Member("memory_swap_limit_in_bytes"), resources.memory_swap_limit_in_bytes(),
                 kNoLimit, kMax);
  faults.InRange(field.Member("oom_score_adj"), resources.oom_score_adj(), -1000, 1000);
}

}  // namespace

spec::Resources ToResources(const v1::LinuxContainerResources& resources, const Field& field,
                            Faults& faults) {
  CheckNumbers(resources, field, faults);
  CheckCpuList(field.Member("cpuset_cpus"), resources.cpuset_cpus(), faults);
  CheckCpuList(field.Member("cpuset_mems"), resources.cpuset_mems(), faults);
  CheckUnified(resources, field.Member("unified"), faults);
  return {
      .cpu_period = resources.cpu_period(),
      .cpu_quota = resources.cpu_quota(),
      .cpu_shares = resources.cpu_shares(),
      .memory_limit = resources.memory_limit_in_bytes(),
      .memory_swap_limit = resources.memory_swap_limit_in_bytes(),
      .oom_score_adj = resources.oom_score_adj(),
      .cpuset_cpus = resources.cpuset_cpus(),
      .cpuset_mems = resources.cpuset_mems(),
      .hugepage_limits = ToHugepageLimits(resources, field.Member("hugepage_limits"), faults),
      .unified = {resources.unified().begin(), resources.unified().end()},
  };
}

v1::LinuxContainerResources FromResources(const spec::Resources& resources) {
  v1::LinuxContainerResources out;
  out.set_cpu_period(resources.cpu_period);
  out.set_cpu_quota(resources.cpu_quota);
  out.set_cpu_shares(resources.cpu_shares);
  out.set_memory_limit_in_bytes(resources.memory_limit);
  out.set_memory_swap_limit_in_bytes(resources.memory_swap_limit);
  out.set_oom_score_adj(resources.oom_score_adj);
  out.set_cpuset_cpus(resources.cpuset_cpus);
  out.set_cpuset_mems(resources.cpuset_mems);
  for (const spec::HugepageLimit& limit : resources.hugepage_limits) {
    v1::HugepageLimit& added = *out.add_hugepage_limits();
    added.set_page_size(limit.page_size);
    added.set_limit(limit.limit);
  }
  out.mutable_unified()->insert(resources.unified.begin(), resources.unified.end());
  return out;
}

}  // namespace bulkhead::cri
