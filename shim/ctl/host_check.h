// Whether a host is fit for the runtime: pure functions over facts that were gathered before.
#ifndef BULKHEAD_SHIM_CTL_HOST_CHECK_H_
#define BULKHEAD_SHIM_CTL_HOST_CHECK_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"
#include "runtime/isolation/host_facts.h"

namespace bulkhead::ctl {

struct CheckFacts {
  isolation::HostFacts host;
  std::string cgroup_driver;  // As configured.
  // Why one is not possible on the data directory's file system; empty when it is.
  std::string id_mapped_mounts;
  std::string overlay;
  // Why pods get no network of their own, and which they get otherwise.
  std::string network_problem;
  std::string network;
  std::string supervisor_problem;  // Why the supervisor's program cannot be used.
  // The ids that hardened pods get, the last one not among them; the lines of subuid(5) and
  // subgid(5), which are other people's.
  uint64_t first_host_id = 0;
  uint64_t host_ids_end = 0;
  std::vector<std::string> subordinate_ids;
  // Why AppArmor's profiles cannot be loaded on a host that has it enabled.
  std::string apparmor_problem;
  bool selinux = true;  // isolation.selinux.
  // The agent's socket as configured, if one is, and why it cannot be used.
  std::string seccomp_agent;
  std::string seccomp_agent_problem;
  bool pressure = false;  // Whether the kernel measures it (PSI).
  bool state_on_tmpfs = true;
  bool swap = false;
  uint64_t open_files = 0;  // The running daemon's limit, else that of this process.
  bool daemon_runs = false;
  int ptrace_scope = 0;  // Yama's; 0 without it.
  // Names with dots to values, as far as the host has them.
  std::map<std::string, std::string> sysctls;
};

// The names that CheckFacts::sysctls should hold.
std::vector<std::string> CheckedSysctls();

enum class Fitness { kOk, kWarning, kFailure };

// One line of the result.
struct Finding {
  std::string subject;
  Fitness fitness = Fitness::kOk;
  std::string found;
  std::string remedy;  // Empty where nothing is to be done.
};

std::vector<Finding> CheckHost(const CheckFacts& facts);

// Whether pods can run: no finding is a failure.
bool IsFit(const std::vector<Finding>& findings);

std::string ToText(const std::vector<Finding>& findings);
nlohmann::json ToJson(const std::vector<Finding>& findings);

}  // namespace bulkhead::ctl

#endif  // BULKHEAD_SHIM_CTL_HOST_CHECK_H_
