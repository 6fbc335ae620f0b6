#include "runtime/isolation/comparison.h"

#include <sys/resource.h>

#include <algorithm>
#include <utility>

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
  return actual < planned ? Verdict::kTighter : Verdict::kDiffers;
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
    AddLimits();
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
      if (!own && !one.shared_with_host) verdict = Verdict::kTighter;
      Add(absl::StrCat("namespace ", one.type), own ? "own" : "host",
          one.shared_with_host ? "host" : "own", verdict);
    }
  }

  void AddIdMaps() {
    if (!user_) return;
    const std::string uids = Text(user_->uids);
    const std::string gids = Text(user_->gids);
    Add("uid map", uids, actual_.uid_map, Equal(uids == actual_.uid_map));
    Add("gid map", gids, actual_.gid_map, Equal(gids == actual_.gid_map));
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

  void AddMounts() {
    for (Comparison& mount : CompareMounts(planned_.plan, actual_)) {
      result_.push_back(std::move(mount));
    }
  }

  void AddRlimitAndOomScore() {
    for (const plan::Rlimit& rlimit : launch_.rlimits()) {
      if (rlimit.resource() != RLIMIT_NOFILE) continue;
      Add("open files", absl::StrCat(rlimit.hard()), absl::StrCat(actual_.open_files_hard),
          AtMost<uint64_t>(rlimit.hard(), actual_.open_files_hard));
    }
    // The higher, the sooner the kernel ends it.
    Add("oom_score_adj", absl::StrCat(launch_.oom_score_adj()), absl::StrCat(actual_.oom_score_adj),
        AtMost(-launch_.oom_score_adj(), -actual_.oom_score_adj));
  }

  // The kernel tells ids of the namespace of who asks, which is the host's.
  uint32_t OnHost(const std::vector<IdRange>& map, uint32_t id) const {
    return HostId(map, id).value_or(UINT32_MAX);
  }

  void AddUser() {
    const plan::CredentialsPlan& plan = launch_.credentials();
    const CredentialsReport& actual = actual_.credentials;
    const spec::UserNamespace maps = user_.value_or(spec::UserNamespace{});
    const uint32_t uid = OnHost(maps.uids, plan.uid());
    const uint32_t gid = OnHost(maps.gids, plan.gid());
    const bool equal = uid == actual.uid && gid == actual.gid;
    // The superuser of the container has become somebody else.
    const bool lowered = plan.uid() == 0 && uid != actual.uid;
    Add("user", absl::StrCat(uid, ":", gid), absl::StrCat(actual.uid, ":", actual.gid),
        lowered ? Verdict::kTighter : Equal(equal));
    std::vector<uint32_t> groups;
    for (const uint32_t group : plan.groups()) groups.push_back(OnHost(maps.gids, group));
    std::vector<uint32_t> found = actual.groups;
    std::ranges::sort(groups);
    std::ranges::sort(found);
    const bool fewer = std::ranges::includes(groups, found);
    Add("groups", absl::StrJoin(groups, " "), absl::StrJoin(found, " "),
        groups == found ? Verdict::kAsPlanned
                        : (fewer || lowered ? Verdict::kTighter : Verdict::kDiffers));
  }

  void AddCapabilities() {
    const plan::CredentialsPlan& plan = launch_.credentials();
    // The exec of somebody else than the superuser leaves the ambient ones (capabilities(7)).
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
      if (verdict == Verdict::kDiffers && (actual & ~planned) == 0) verdict = Verdict::kTighter;
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
      Add("AppArmor profile", profile, label, Equal(label == profile + " (enforce)"));
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
        none ? Verdict::kAsPlanned : Verdict::kTighter);
  }

  const PlannedIsolation& planned_;
  const plan::LaunchPlan& launch_;
  const IsolationReport& actual_;
  std::optional<spec::UserNamespace> user_;
  std::vector<Comparison> result_;
};

}  // namespace

ReportRequest RequestFor(const PlannedIsolation& planned) {
  ReportRequest request{.paths = MountPaths(planned.plan)};
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
    case Verdict::kTighter:
      return "tighter";
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
