#include "runtime/isolation/host_facts.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "absl/algorithm/container.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "runtime/kernel/file.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

// A line of mountinfo, as far as it is needed: proc_pid_mountinfo(5).
struct MountLine {
  std::string root;
  std::string mount_point;
  std::string type;
  std::vector<std::string> super_options;
};

std::optional<MountLine> ParseMountLine(absl::string_view line) {
  const std::vector<std::string> fields = absl::StrSplit(line, ' ');
  const auto separator = std::find(fields.begin(), fields.end(), "-");
  if (fields.size() < 6 || fields.end() - separator < 4) return std::nullopt;
  return MountLine{fields[3], fields[4], separator[1], absl::StrSplit(separator[3], ',')};
}

// A line of /proc/PID/cgroup: "4:cpu,cpuacct:/path"; controllers are empty for v2.
struct Membership {
  std::vector<std::string> controllers;
  std::string path;
};

std::vector<Membership> ParseMemberships(absl::string_view text) {
  std::vector<Membership> memberships;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::vector<std::string> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3) continue;
    memberships.push_back({absl::StrSplit(fields[1], ',', absl::SkipEmpty()), fields[2]});
  }
  return memberships;
}

// The path below a mount whose root is `root` of its hierarchy.
std::string BelowRoot(const std::string& path, const std::string& root) {
  if (root == "/" || !absl::StartsWith(path, root)) return path;
  const std::string rest = path.substr(root.size());
  return rest.empty() ? "/" : rest;
}

std::optional<CgroupHierarchy> V1Hierarchy(const MountLine& mount,
                                           const std::vector<Membership>& memberships) {
  for (const Membership& membership : memberships) {
    if (membership.controllers.empty()) continue;
    const bool here = std::all_of(
        membership.controllers.begin(), membership.controllers.end(),
        [&](const std::string& name) { return absl::c_linear_search(mount.super_options, name); });
    if (!here) continue;
    return CgroupHierarchy{mount.mount_point, membership.controllers,
                           BelowRoot(membership.path, mount.root)};
  }
  return std::nullopt;
}

void AddHierarchy(const MountLine& mount, const std::vector<Membership>& memberships,
                  CgroupFacts& facts) {
  if (mount.type == "cgroup2" && !facts.v2.has_value()) {
    for (const Membership& membership : memberships) {
      if (!membership.controllers.empty()) continue;
      facts.v2 = CgroupHierarchy{mount.mount_point, {}, BelowRoot(membership.path, mount.root)};
    }
  }
  if (mount.type != "cgroup") return;
  const std::optional<CgroupHierarchy> hierarchy = V1Hierarchy(mount, memberships);
  if (!hierarchy.has_value()) return;
  // A hierarchy that is mounted twice counts once.
  if (facts.FindV1(hierarchy->controllers.front()) == nullptr) facts.v1.push_back(*hierarchy);
}

absl::StatusOr<CgroupFacts> ProbeCgroups() {
  absl::StatusOr<std::string> mounts = ReadFile("/proc/self/mountinfo");
  if (!mounts.ok()) return mounts.status();
  absl::StatusOr<std::string> memberships = ReadFile("/proc/self/cgroup");
  if (!memberships.ok()) return memberships.status();
  absl::StatusOr<CgroupFacts> facts = ParseCgroupFacts(*mounts, *memberships);
  if (!facts.ok() || !facts->v2.has_value()) return facts;
  absl::StatusOr<std::string> offered =
      ReadFile(absl::StrCat(facts->v2->mount_point, "/cgroup.controllers"));
  if (!offered.ok()) return offered.status();
  facts->v2->controllers =
      absl::StrSplit(absl::StripAsciiWhitespace(*offered), ' ', absl::SkipEmpty());
  return facts;
}

uint64_t ReadBoundingSet() {
  uint64_t set = 0;
  for (int capability = 0; capability < 64; ++capability) {
    const int held = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
    if (held < 0) break;
    if (held == 1) set |= uint64_t{1} << capability;
  }
  return set;
}

absl::StatusOr<uint64_t> ReadEffectiveSet() {
  absl::StatusOr<std::string> status = ReadFile("/proc/self/status");
  if (!status.ok()) return status.status();
  for (absl::string_view line : absl::StrSplit(*status, '\n')) {
    uint64_t set = 0;
    if (absl::ConsumePrefix(&line, "CapEff:\t") && absl::SimpleHexAtoi(line, &set)) return set;
  }
  return absl::InternalError("/proc/self/status has no CapEff");
}

// "hugepages-2048kB" is "2MB": the units of the CRI and of cgroup files.
std::string HugepageName(uint64_t kilobytes) {
  if (kilobytes >= 1 << 20) return absl::StrCat(kilobytes >> 20, "GB");
  if (kilobytes >= 1 << 10) return absl::StrCat(kilobytes >> 10, "MB");
  return absl::StrCat(kilobytes, "KB");
}

std::vector<std::string> ReadHugepageSizes() {
  std::vector<std::string> sizes;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/kernel/mm/hugepages", error)) {
    const std::string name = entry.path().filename();
    absl::string_view digits = name;
    uint64_t kilobytes = 0;
    if (absl::ConsumePrefix(&digits, "hugepages-") && absl::ConsumeSuffix(&digits, "kB") &&
        absl::SimpleAtoi(digits, &kilobytes)) {
      sizes.push_back(HugepageName(kilobytes));
    }
  }
  std::sort(sizes.begin(), sizes.end());
  return sizes;
}

bool Exists(const char* path) {
  struct stat st;
  return stat(path, &st) == 0;
}

void ProbeSecurity(HostFacts& facts) {
  const std::string modules = ReadFile("/sys/kernel/security/lsm").value_or("");
  facts.apparmor =
      absl::StrContains(modules, "apparmor") ||
      absl::StartsWith(ReadFile("/sys/module/apparmor/parameters/enabled").value_or(""), "Y");
  facts.selinux = ProbeSelinux();
  facts.seccomp = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;
}

}  // namespace

const CgroupHierarchy* CgroupFacts::FindV1(std::string_view controller) const {
  for (const CgroupHierarchy& hierarchy : v1) {
    for (const std::string& name : hierarchy.controllers) {
      if (name == controller) return &hierarchy;
    }
  }
  return nullptr;
}

absl::StatusOr<CgroupFacts> ParseCgroupFacts(std::string_view mountinfo, std::string_view cgroup) {
  const absl::string_view mounts(mountinfo.data(), mountinfo.size());
  const std::vector<Membership> memberships =
      ParseMemberships(absl::string_view(cgroup.data(), cgroup.size()));
  CgroupFacts facts;
  for (absl::string_view line : absl::StrSplit(mounts, '\n', absl::SkipEmpty())) {
    const std::optional<MountLine> mount = ParseMountLine(line);
    if (mount.has_value()) AddHierarchy(*mount, memberships, facts);
  }
  if (facts.v1.empty() && !facts.v2.has_value()) {
    return absl::FailedPreconditionError("no cgroup hierarchy is mounted");
  }
  if (!facts.v1.empty()) {
    facts.layout = facts.v2.has_value() ? CgroupLayout::kHybrid : CgroupLayout::kV1;
  }
  return facts;
}

absl::StatusOr<HostFacts> ProbeHost() {
  HostFacts facts;
  absl::StatusOr<CgroupFacts> cgroup = ProbeCgroups();
  if (!cgroup.ok()) return cgroup.status();
  facts.cgroup = *std::move(cgroup);
  facts.bounding_set = ReadBoundingSet();
  absl::StatusOr<uint64_t> effective = ReadEffectiveSet();
  if (!effective.ok()) return effective.status();
  facts.sys_resource = (*effective >> CAP_SYS_RESOURCE & 1) != 0;
  const std::string score = ReadFile("/proc/self/oom_score_adj").value_or("0");
  if (!absl::SimpleAtoi(absl::StripAsciiWhitespace(score), &facts.oom_score_adj)) {
    return absl::InternalError("/proc/self/oom_score_adj is not a number");
  }
  rlimit files = {};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return ErrnoStatus(errno, "getrlimit");
  facts.open_files_hard = files.rlim_max;
  facts.hugepage_sizes = ReadHugepageSizes();
  utsname names = {};
  if (uname(&names) != 0) return ErrnoStatus(errno, "uname");
  facts.kernel_release = names.release;
  ProbeSecurity(facts);
  facts.dev_shm = Exists("/dev/shm");
  facts.systemd = Exists("/run/systemd/system");
  return facts;
}

}  // namespace bulkhead::isolation
