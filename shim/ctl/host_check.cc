#include "shim/ctl/host_check.h"

#include <linux/capability.h>

#include <algorithm>

#include "absl/algorithm/container.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace bulkhead::ctl {
namespace {

using isolation::CgroupLayout;

Finding Ok(std::string subject, std::string found) {
  return {std::move(subject), Fitness::kOk, std::move(found), ""};
}
Finding Warning(std::string subject, std::string found, std::string remedy) {
  return {std::move(subject), Fitness::kWarning, std::move(found), std::move(remedy)};
}
Finding Failure(std::string subject, std::string found, std::string remedy) {
  return {std::move(subject), Fitness::kFailure, std::move(found), std::move(remedy)};
}

Finding CheckKernel(const CheckFacts& facts) {
  const std::string& release = facts.host.kernel_release;
  const std::vector<absl::string_view> parts = absl::StrSplit(release, absl::ByAnyChar(".-"));
  int major = 0, minor = 0;
  const bool known =
      parts.size() >= 2 && absl::SimpleAtoi(parts[0], &major) && absl::SimpleAtoi(parts[1], &minor);
  if (known && (major > 6 || (major == 6 && minor >= 1))) return Ok("kernel", release);
  return Failure("kernel", release, "use Linux 6.1 or newer");
}

std::vector<std::string> ControllersOf(const isolation::CgroupFacts& cgroup) {
  if (cgroup.layout == CgroupLayout::kV2 && cgroup.v2.has_value()) return cgroup.v2->controllers;
  std::vector<std::string> controllers;
  for (const isolation::CgroupHierarchy& hierarchy : cgroup.v1) {
    controllers.insert(controllers.end(), hierarchy.controllers.begin(),
                       hierarchy.controllers.end());
  }
  return controllers;
}

void CheckCgroups(const CheckFacts& facts, std::vector<Finding>& findings) {
  const isolation::CgroupFacts& cgroup = facts.host.cgroup;
  if (cgroup.layout == CgroupLayout::kV2) {
    findings.push_back(Ok("cgroups", "v2"));
  } else {
    findings.push_back(Warning("cgroups", cgroup.layout == CgroupLayout::kV1 ? "v1" : "hybrid",
                               "boot with systemd.unified_cgroup_hierarchy=1; a kubelet needs "
                               "failCgroupV1: false until then"));
  }
  const std::vector<std::string> controllers = ControllersOf(cgroup);
  const auto missing = [&](std::vector<std::string> wanted) {
    std::erase_if(
        wanted, [&](const std::string& name) { return absl::c_linear_search(controllers, name); });
    return absl::StrJoin(wanted, " ");
  };
  const bool v2 = cgroup.layout == CgroupLayout::kV2;
  const std::string needed = missing({"cpu", "cpuset", "memory", "pids"});
  std::vector<std::string> useful = {v2 ? "io" : "blkio"};
  if (!facts.host.hugepage_sizes.empty()) useful.push_back("hugetlb");
  const std::string lacking = missing(useful);
  if (!needed.empty()) {
    findings.push_back(Failure("controllers", "without " + needed,
                               "remove cgroup_disable= from the kernel's command line"));
  } else if (!lacking.empty()) {
    findings.push_back(
        Warning("controllers", "without " + lacking, "limits that need them are refused"));
  } else {
    findings.push_back(Ok("controllers", absl::StrJoin(controllers, " ")));
  }
}

Finding CheckPressure(const CheckFacts& facts) {
  if (!facts.pressure) {
    return Warning(
        "pressure", "not measured",
        "boot with psi=1, with a kernel that has CONFIG_PSI: until then neither the node "
        "nor its pods tell what waits for cpu, memory and io");
  }
  const bool v2 = facts.host.cgroup.layout == CgroupLayout::kV2;
  return Ok("pressure", v2 ? "measured, of each cgroup" : "measured, of the host alone");
}

Finding CheckDriver(const CheckFacts& facts) {
  const std::string& driver = facts.cgroup_driver;
  if (driver == "systemd" && !facts.host.systemd) {
    return Failure("cgroup driver", "systemd, which does not run here",
                   "set cgroup.driver and the kubelet's cgroupDriver to \"cgroupfs\"");
  }
  const bool v2 = facts.host.cgroup.layout == CgroupLayout::kV2;
  if (driver == "systemd" && !v2) {
    return Failure("cgroup driver", "systemd, on cgroup v1",
                   "boot with systemd.unified_cgroup_hierarchy=1, or set cgroup.driver and the "
                   "kubelet's cgroupDriver to \"cgroupfs\"");
  }
  if (driver == "cgroupfs" && facts.host.systemd && v2) {
    return Warning("cgroup driver", "cgroupfs, beside systemd",
                   "set cgroup.driver and the kubelet's cgroupDriver to \"systemd\", so that one "
                   "manager divides the host's resources");
  }
  return Ok("cgroup driver", driver);
}

Finding CheckSelinux(const isolation::SelinuxFacts& host, bool wanted) {
  constexpr char kSubject[] = "selinux";
  if (!wanted) {
    return Warning(kSubject, "containers get no labels",
                   "set isolation.selinux to true, which needs a policy for containers");
  }
  if (!host.problem.empty()) {
    return Failure(kSubject, host.problem,
                   "install a policy for containers, such as the package container-selinux, or set "
                   "isolation.selinux to false");
  }
  const std::string types = absl::StrCat(host.process.type, ", ", host.file.type);
  if (host.enforcing) return Ok(kSubject, "enforcing " + types);
  return Warning(kSubject, "permissive " + types,
                 "setenforce 1, and SELINUX=enforcing in /etc/selinux/config: what the policy "
                 "forbids is logged only");
}

Finding CheckSeccompAgent(const CheckFacts& facts) {
  constexpr char kSubject[] = "seccomp agent";
  constexpr int kNoAttach = 3;  // Yama.rst
  if (facts.ptrace_scope >= kNoAttach) {
    return Warning(kSubject, absl::StrCat("kernel.yama.ptrace_scope is ", facts.ptrace_scope),
                   "set it to 2 or less and reboot: no listener can be handed over, and containers "
                   "whose profile notifies are refused");
  }
  if (!facts.seccomp_agent_problem.empty()) {
    return Warning(kSubject, facts.seccomp_agent_problem,
                   "start it: until then containers whose profile notifies are refused");
  }
  return Ok(kSubject, facts.seccomp_agent);
}

void CheckSecurity(const CheckFacts& facts, std::vector<Finding>& findings) {
  const isolation::HostFacts& host = facts.host;
  findings.push_back(host.seccomp
                         ? Ok("seccomp", "filters")
                         : Failure("seccomp", "none", "use a kernel with CONFIG_SECCOMP_FILTER"));
  if (!facts.seccomp_agent.empty()) findings.push_back(CheckSeccompAgent(facts));
  std::vector<std::string> modules;
  if (host.apparmor) modules.push_back("apparmor");
  if (host.selinux.has_value()) modules.push_back("selinux");
  findings.push_back(
      Ok("security modules", modules.empty() ? "none" : absl::StrJoin(modules, " ")));
  if (host.apparmor) {
    findings.push_back(facts.apparmor_problem.empty()
                           ? Ok("apparmor", "profiles can be loaded")
                           : Failure("apparmor", facts.apparmor_problem,
                                     "install the package apparmor: the default profile cannot be "
                                     "loaded, and containers that need it are refused"));
  }
  if (host.selinux.has_value()) findings.push_back(CheckSelinux(*host.selinux, facts.selinux));
  if (host.sys_resource) {
    findings.push_back(Ok("capabilities", "with CAP_SYS_RESOURCE"));
  } else {
    findings.push_back(Warning("capabilities", "without CAP_SYS_RESOURCE",
                               "run as root with all capabilities: out-of-memory scores of "
                               "Guaranteed pods cannot be lowered"));
  }
}

void CheckFileSystems(const CheckFacts& facts, std::vector<Finding>& findings) {
  findings.push_back(facts.overlay.empty()
                         ? Ok("overlay", "on the data directory")
                         : Failure("overlay", facts.overlay,
                                   "load the module overlay; put daemon.data_dir on ext4 or xfs "
                                   "with ftype=1"));
  findings.push_back(facts.id_mapped_mounts.empty()
                         ? Ok("id-mapped mounts", "on the data directory")
                         : Warning("id-mapped mounts", facts.id_mapped_mounts,
                                   "put daemon.data_dir on ext4, xfs or btrfs, for pods in user "
                                   "namespaces"));
  findings.push_back(
      facts.state_on_tmpfs
          ? Ok("state directory", "on tmpfs")
          : Warning("state directory", "not on tmpfs",
                    "put daemon.state_dir on a tmpfs: it must not outlive a reboot"));
}

bool HasHostIds(const std::string& line, const CheckFacts& facts) {
  const std::vector<absl::string_view> fields = absl::StrSplit(line, ':');
  uint64_t first = 0, count = 0;
  return fields.size() == 3 && absl::SimpleAtoi(fields[1], &first) &&
         absl::SimpleAtoi(fields[2], &count) && first < facts.host_ids_end &&
         first + count > facts.first_host_id;
}

Finding CheckHostIds(const CheckFacts& facts) {
  constexpr char kSubject[] = "ids of hardened pods";
  for (const std::string& line : facts.subordinate_ids) {
    if (!HasHostIds(line, facts)) continue;
    return Warning(kSubject, absl::StrCat("some are given by subuid(5) or subgid(5): ", line),
                   "set isolation.first_host_id where nobody else has ids");
  }
  return Ok(kSubject, absl::StrCat("from ", facts.first_host_id, ", before ", facts.host_ids_end));
}

Finding CheckDescriptors(const CheckFacts& facts) {
  constexpr uint64_t kOwn = 256, kEach = 8;  // Of the daemon itself; at most, of a pod.
  constexpr uint64_t kKubeletsPods = 110;    // maxPods, unless configured.
  const uint64_t pods = facts.open_files > kOwn ? (facts.open_files - kOwn) / kEach : 0;
  const std::string found =
      absl::StrCat(facts.open_files, facts.daemon_runs ? " of the daemon" : " of this shell", ", ",
                   pods, " pods fit");
  if (pods >= kKubeletsPods) return Ok("descriptors", found);
  const std::string remedy = "raise LimitNOFILE of bulkhead.service";
  return pods == 0 ? Failure("descriptors", found, remedy) : Warning("descriptors", found, remedy);
}

// What a sysctl should be at least, or exactly where it is a switch.
struct WantedSysctl {
  const char* name;
  int64_t lowest;
  const char* remedy;
};

constexpr WantedSysctl kSysctls[] = {
    {"kernel.pid_max", 65536, "sysctl -w kernel.pid_max=4194304"},
    {"user.max_user_namespaces", 1, "sysctl -w user.max_user_namespaces=15000"},
    {"fs.inotify.max_user_instances", 512, "sysctl -w fs.inotify.max_user_instances=8192"},
    {"net.ipv4.ip_forward", 1, "sysctl -w net.ipv4.ip_forward=1"},
    {"net.ipv6.conf.all.forwarding", 1, "sysctl -w net.ipv6.conf.all.forwarding=1, for IPv6 pods"},
    {"net.bridge.bridge-nf-call-iptables", 1,
     "modprobe br_netfilter, sysctl -w net.bridge.bridge-nf-call-iptables=1"},
    {"net.bridge.bridge-nf-call-ip6tables", 1,
     "modprobe br_netfilter, sysctl -w net.bridge.bridge-nf-call-ip6tables=1"},
};

Finding CheckSysctl(const CheckFacts& facts, const WantedSysctl& wanted) {
  const auto entry = facts.sysctls.find(wanted.name);
  if (entry == facts.sysctls.end()) return Warning(wanted.name, "not there", wanted.remedy);
  int64_t value = 0;
  if (absl::SimpleAtoi(entry->second, &value) && value >= wanted.lowest) {
    return Ok(wanted.name, entry->second);
  }
  return Warning(wanted.name, entry->second, wanted.remedy);
}

void CheckRest(const CheckFacts& facts, std::vector<Finding>& findings) {
  findings.push_back(facts.network_problem.empty()
                         ? Ok("network", facts.network)
                         : Failure("network", facts.network_problem,
                                   "install a network add-on; until then only pods on the host's "
                                   "network run"));
  findings.push_back(facts.supervisor_problem.empty()
                         ? Ok("supervisor", "found")
                         : Failure("supervisor", facts.supervisor_problem,
                                   "install bulkhead-pod where daemon.supervisor says"));
  findings.push_back(
      facts.swap ? Warning("swap", "in use", "swapoff -a, or failSwapOn: false for the kubelet")
                 : Ok("swap", "none"));
}

const char* NameOf(Fitness fitness) {
  switch (fitness) {
    case Fitness::kOk:
      return "ok";
    case Fitness::kWarning:
      return "warning";
    case Fitness::kFailure:
      break;
  }
  return "failure";
}

}  // namespace

std::vector<std::string> CheckedSysctls() {
  std::vector<std::string> names;
  for (const WantedSysctl& wanted : kSysctls) names.emplace_back(wanted.name);
  return names;
}

std::vector<Finding> CheckHost(const CheckFacts& facts) {
  std::vector<Finding> findings = {CheckKernel(facts)};
  CheckCgroups(facts, findings);
  findings.push_back(CheckDriver(facts));
  findings.push_back(CheckPressure(facts));
  CheckSecurity(facts, findings);
  CheckFileSystems(facts, findings);
  findings.push_back(CheckHostIds(facts));
  findings.push_back(CheckDescriptors(facts));
  CheckRest(facts, findings);
  for (const WantedSysctl& wanted : kSysctls) findings.push_back(CheckSysctl(facts, wanted));
  return findings;
}

bool IsFit(const std::vector<Finding>& findings) {
  return absl::c_none_of(
      findings, [](const Finding& finding) { return finding.fitness == Fitness::kFailure; });
}

std::string ToText(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& finding : findings) {
    absl::StrAppendFormat(&text, "%-8s %-36s %s\n", NameOf(finding.fitness), finding.subject,
                          finding.found);
    if (!finding.remedy.empty()) absl::StrAppendFormat(&text, "%45s -> %s\n", "", finding.remedy);
  }
  return text;
}

nlohmann::json ToJson(const std::vector<Finding>& findings) {
  nlohmann::json list = nlohmann::json::array();
  for (const Finding& finding : findings) {
    nlohmann::json one = {{"subject", finding.subject},
                          {"result", NameOf(finding.fitness)},
                          {"found", finding.found}};
    if (!finding.remedy.empty()) one["remedy"] = finding.remedy;
    list.push_back(std::move(one));
  }
  return {{"fit", IsFit(findings)}, {"findings", std::move(list)}};
}

}  // namespace bulkhead::ctl
