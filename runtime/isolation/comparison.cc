#include "runtime/isolation/comparison.h"

#include <linux/capability.h>
#include <sys/resource.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "runtime/isolation/id_map.h"
#include "runtime/isolation/limit_comparison.h"
#include "runtime/isolation/mount_comparison.h"

namespace bulkhead::isolation {
namespace {

Verdict Equal(bool equal) { return equal ? Verdict::kAsPlanned : Verdict::kDiffers; }

// By a bound that a process may lower, not raise.
template <typename T>
Verdict AtMost(const T& planned, const T& actual) {
  if (actual == planned) return Verdict::kAsPlanned;
  return actual < planned ? Verdict::kByItself : Verdict::kDiffers;
}

std::string Text(const std::vector<IdRange>& map) {
  return absl::StrJoin(map, " ", [](std::string* out, const IdRange& range) {
    absl::StrAppend(out, range.container, " ", range.host, " ", range.size);
  });
}

std::string Text(uint64_t capabilities) {
  const std::string names = absl::StrJoin(CapabilityNames(capabilities), " ");
  return names.empty() ? "none" : names;
}

class Comparer {
 public:
  Comparer(const PlannedIsolation& planned, const IsolationReport& actual)
      : planned_(planned), launch_(planned.plan.launch()), actual_(actual) {
    if (const spec::UserNamespace* own = spec::OwnUserNamespace(planned.pod)) user_ = *own;
  }

  std::vector<Comparison> Run() && {
    AddNamespaces();
    AddIdMaps();
    AddCgroup();
    AddLimits();
    AddDevices();
    AddMounts();
    AddRlimitAndOomScore();
    AddUser();
    AddCapabilities();
    AddSwitches();
    return std::move(result_);
  }

 private:
  void Add(std::string mechanism, std::string planned, std::string actual, Verdict verdict) {
    result_.push_back({std::move(mechanism), std::move(planned), std::move(actual), verdict});
  }

  bool IsOwn(const std::string& type) const {
    using spec::NamespaceMode;
    if (type == "cgroup") return launch_.namespaces().own_cgroup_namespace();
    if (type == "ipc") return planned_.pod.ipc != NamespaceMode::kNode;
    if (type == "pid") return launch_.namespaces().pid() != plan::NamespacesPlan::HOST;
    if (type == "user") return user_.has_value();
    if (type == "net" || type == "uts") return planned_.pod.network != NamespaceMode::kNode;
    return true;  // The mount namespace.
  }

  void AddNamespaces() {
    for (const NamespaceReport& one : actual_.namespaces) {
      const bool own = IsOwn(one.type);
      Verdict verdict = Equal(own != one.shared_with_host);
      // A process can leave the host's namespace by itself.
      if (!own && !one.shared_with_host) verdict = Verdict::kByItself;
      std::string actual = one.shared_with_host ? "host" : "own";
      if (own && verdict == Verdict::kAsPlanned && IsAnothers(one)) {
        actual = "another";
        verdict = Allows(CAP_SYS_ADMIN) ? Verdict::kByItself : Verdict::kDiffers;
      }
      Add(absl::StrCat("namespace ", one.type), own ? "own" : "host", actual, verdict);
    }
  }

  bool IsAnothers(const NamespaceReport& one) const {
    return one.type == "net" && planned_.network_namespace != 0 &&
           one.inode != planned_.network_namespace;
  }

  void AddIdMaps() {
    if (!user_) return;
    const std::string uids = Text(user_->uids);
    const std::string gids = Text(user_->gids);
    Add("uid map", uids, actual_.uid_map, Equal(uids == actual_.uid_map));
    Add("gid map", gids, actual_.gid_map, Equal(gids == actual_.gid_map));
  }

  void AddCgroup() {
    const auto is_in = [&](const std::string& line) {
      const std::string path = line.substr(std::min(line.size(), line.find('/')));
      return path == planned_.cgroup || absl::StartsWith(path, planned_.cgroup + "/");
    };
    const auto in = static_cast<size_t>(std::ranges::count_if(actual_.cgroups, is_in));
    Add("cgroup", absl::StrCat(planned_.cgroup, " in ", planned_.hierarchies, " hierarchies"),
        absl::StrCat("in ", in, " of ", actual_.cgroups.size()), Equal(in >= planned_.hierarchies));
  }

  void AddLimits() {
    for (const CgroupWrite& limit : planned_.limits) {
      const auto found = actual_.files.find(limit.file);
      const std::string actual = found == actual_.files.end() ? "none" : found->second;
      const Verdict verdict = found == actual_.files.end()
                                  ? Verdict::kDiffers
                                  : CompareLimit(limit.file, limit.value, actual);
      Add(absl::StrCat("limit ", limit.file.substr(limit.file.rfind('/') + 1)), limit.value, actual,
          verdict);
    }
  }

  void AddDevices() {
    const std::set<std::string> planned(planned_.plan.devices().begin(),
                                        planned_.plan.devices().end());
    if (planned.empty()) return;
    const bool within = std::ranges::includes(planned, actual_.devices);
    Verdict verdict = Equal(within && !actual_.devices.empty());
    if (verdict == Verdict::kAsPlanned && actual_.devices != planned) verdict = Verdict::kByItself;
    Add("devices", absl::StrJoin(planned, ", "), absl::StrJoin(actual_.devices, ", "), verdict);
  }

  void AddMounts() {
    for (Comparison& mount : CompareMounts(planned_.plan, actual_)) {
      result_.push_back(std::move(mount));
    }
  }

  void AddRlimitAndOomScore() {
    const auto bounded = [&](Verdict verdict) {
      return verdict == Verdict::kDiffers && Allows(CAP_SYS_RESOURCE) ? Verdict::kByItself
                                                                      : verdict;
    };
    for (const plan::Rlimit& rlimit : launch_.rlimits()) {
      if (rlimit.resource() != RLIMIT_NOFILE) continue;
      Add("open files", absl::StrCat(rlimit.hard()), absl::StrCat(actual_.open_files_hard),
          bounded(AtMost<uint64_t>(rlimit.hard(), actual_.open_files_hard)));
    }
    // The higher, the sooner the kernel ends it.
    Add("oom_score_adj", absl::StrCat(launch_.oom_score_adj()), absl::StrCat(actual_.oom_score_adj),
        bounded(AtMost(-launch_.oom_score_adj(), -actual_.oom_score_adj)));
  }

  // The kernel tells ids of the namespace of who asks, which is the host's.
  uint32_t OnHost(const std::vector<IdRange>& map, uint32_t id) const {
    return HostId(map, id).value_or(UINT32_MAX);
  }

  bool Allows(int capability) const {
    return (launch_.credentials().bounding() >> capability & 1) != 0;
  }

  // Of an id that is not the planned one: a program may change it with the capability for that, or
  // be a setuid one, but never to an id that is not the container's.
  Verdict Changed(const std::vector<IdRange>& map, uint32_t id, int capability) const {
    const auto holds = [id](const IdRange& range) {
      return id >= range.host && id - range.host < range.size;
    };
    const bool mapped = map.empty() || std::ranges::any_of(map, holds);
    const bool may = Allows(capability) || !launch_.credentials().no_new_privileges();
    return mapped && may ? Verdict::kByItself : Verdict::kDiffers;
  }

  void AddUser() {
    const plan::CredentialsPlan& plan = launch_.credentials();
    const CredentialsReport& actual = actual_.credentials;
    const spec::UserNamespace maps = user_.value_or(spec::UserNamespace{});
    const uint32_t uid = OnHost(maps.uids, plan.uid());
    const uint32_t gid = OnHost(maps.gids, plan.gid());
    Verdict verdict = Verdict::kAsPlanned;
    if (uid != actual.uid) verdict = std::max(verdict, Changed(maps.uids, actual.uid, CAP_SETUID));
    if (gid != actual.gid) verdict = std::max(verdict, Changed(maps.gids, actual.gid, CAP_SETGID));
    Add("user", absl::StrCat(uid, ":", gid), absl::StrCat(actual.uid, ":", actual.gid), verdict);
    std::vector<uint32_t> groups;
    for (const uint32_t group : plan.groups()) groups.push_back(OnHost(maps.gids, group));
    std::vector<uint32_t> found = actual.groups;
    std::ranges::sort(groups);
    std::ranges::sort(found);
    verdict = groups == found ? Verdict::kAsPlanned : Verdict::kByItself;
    for (const uint32_t group : found) {
      if (std::ranges::binary_search(groups, group)) continue;
      verdict = std::max(verdict, Changed(maps.gids, group, CAP_SETGID));
    }
    Add("groups", absl::StrJoin(groups, " "), absl::StrJoin(found, " "), verdict);
  }

  void AddCapabilities() {
    const plan::CredentialsPlan& plan = launch_.credentials();
    // The exec of somebody else than the superuser leaves the ambient ones (capabilities(7)), and
    // gives those of the program's file, of the bounding set.
    const bool superuser = plan.uid() == 0;
    const std::pair<const char*, uint64_t> sets[] = {
        {"bounding", plan.bounding()},
        {"permitted", superuser ? plan.permitted() : plan.ambient()},
        {"effective", superuser ? plan.effective() : plan.ambient()},
        {"inheritable", plan.inheritable()},
        {"ambient", plan.ambient()}};
    for (const auto& [name, planned] : sets) {
      const auto found = actual_.credentials.capabilities.find(name);
      const uint64_t actual = found == actual_.credentials.capabilities.end() ? 0 : found->second;
      Verdict verdict = Equal(planned == actual);
      if (planned != actual && (actual & ~plan.bounding()) == 0) verdict = Verdict::kByItself;
      Add(absl::StrCat("capabilities ", name), Text(planned), Text(actual), verdict);
    }
  }

  void AddSwitches() {
    const CredentialsReport& actual = actual_.credentials;
    const bool no_new_privs = launch_.credentials().no_new_privileges();
    const auto yes = [](bool value) { return value ? "yes" : "no"; };
    Add("no_new_privs", yes(no_new_privs), yes(actual.no_new_privs),
        AtMost(!no_new_privs, !actual.no_new_privs));
    const bool filtered = actual.seccomp_mode == 2 && actual.seccomp_filters > 0;
    Add("seccomp", planned_.plan.seccomp_filter() ? "filter" : "none",
        filtered ? absl::StrCat("filter (", actual.seccomp_filters, ")") : "none",
        AtMost(!planned_.plan.seccomp_filter(), !filtered));
    AddLabel();
  }

  void AddLabel() {
    const std::string& profile = launch_.lsm().apparmor_profile();
    const std::string& label = actual_.lsm_label;
    if (!profile.empty()) {
      Add("AppArmor profile", profile, label,
          Equal(label == profile + " (enforce)" || label == profile + " (kill)"));
      return;
    }
    const std::string& context = launch_.lsm().selinux_label();
    if (!context.empty()) {
      Add("SELinux label", context, label, Equal(label == context));
      return;
    }
    const bool none = label.empty() || label == "unconfined" || label == "kernel";
    // The host's own profiles attach to programs by their paths.
    Add("security label", "none", none ? "none" : label,
        none ? Verdict::kAsPlanned : Verdict::kByItself);
  }

  const PlannedIsolation& planned_;
  const plan::LaunchPlan& launch_;
  const IsolationReport& actual_;
  std::optional<spec::UserNamespace> user_;
  std::vector<Comparison> result_;
};

}  // namespace

ReportRequest RequestFor(const PlannedIsolation& planned) {
  ReportRequest request{.paths = MountPaths(planned.plan), .sources = VolumePaths(planned.plan)};
  for (const CgroupWrite& limit : planned.limits) request.files.push_back(limit.file);
  return request;
}

std::vector<Comparison> Compare(const PlannedIsolation& planned, const IsolationReport& actual) {
  return Comparer(planned, actual).Run();
}

bool Differs(const std::vector<Comparison>& comparisons) {
  return std::ranges::any_of(comparisons, [](const Comparison& comparison) {
    return comparison.verdict == Verdict::kDiffers;
  });
}

const char* Name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kAsPlanned:
      return "as planned";
    case Verdict::kByItself:
      return "by itself";
    case Verdict::kDiffers:
      return "DIFFERS";
  }
  return "";
}

nlohmann::json ToJson(const std::vector<Comparison>& comparisons) {
  nlohmann::json lines = nlohmann::json::array();
  for (const Comparison& one : comparisons) {
    lines.push_back({{"mechanism", one.mechanism},
                     {"planned", one.planned},
                     {"actual", one.actual},
                     {"verdict", Name(one.verdict)}});
  }
  return lines;
}

}  // namespace bulkhead::isolation
