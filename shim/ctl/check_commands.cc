#include "shim/ctl/check_commands.h"

#include <linux/magic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "runtime/isolation/apparmor.h"
#include "runtime/isolation/id_map.h"
#include "runtime/isolation/swap.h"
#include "runtime/kernel/file.h"
#include "runtime/kernel/mount.h"
#include "runtime/kernel/status.h"
#include "shim/ctl/daemon_process.h"
#include "shim/ctl/host_check.h"
#include "shim/network/cni_config.h"

namespace bulkhead::ctl {
namespace {

namespace fs = std::filesystem;

// The directory or, where it is still to be made, the nearest one above it.
std::string Existing(fs::path path) {
  std::error_code error;
  while (!fs::is_directory(path, error) && path != "/") path = path.parent_path();
  return path;
}

bool IsOnTmpfs(const std::string& path) {
  struct statfs st {};
  return statfs(path.c_str(), &st) == 0 && st.f_type == TMPFS_MAGIC;
}

// A folder that is gone with the object.
class ScratchFolder {
 public:
  static absl::StatusOr<ScratchFolder> In(const std::string& parent) {
    std::string path = parent + "/.bulkhead-check-XXXXXX";
    if (mkdtemp(path.data()) == nullptr) return ErrnoStatus(errno, "make a folder in " + parent);
    return ScratchFolder(std::move(path));
  }
  ScratchFolder(ScratchFolder&& other) noexcept : path_(std::exchange(other.path_, "")) {}
  ScratchFolder& operator=(ScratchFolder&&) = delete;
  ~ScratchFolder() {
    std::error_code error;
    if (!path_.empty()) fs::remove_all(path_, error);
  }
  const std::string& path() const { return path_; }

 private:
  explicit ScratchFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// The mount is never attached, so it is gone with its descriptor.
absl::Status TryOverlay(const std::string& folder) {
  for (const char* name : {"lower", "upper", "work"}) {
    if (mkdir(absl::StrCat(folder, "/", name).c_str(), 0700) != 0) {
      return ErrnoStatus(errno, absl::StrCat("mkdir ", name));
    }
  }
  return NewFilesystem("overlay",
                       {{"lowerdir", folder + "/lower"},
                        {"upperdir", folder + "/upper"},
                        {"workdir", folder + "/work"},
                        {"volatile", ""}},
                       0)
      .status();
}

std::string Problem(const absl::Status& status) { return std::string(status.message()); }

void ProbeFileSystems(const config::Config& config, CheckFacts& facts) {
  facts.state_on_tmpfs = IsOnTmpfs(Existing(config.daemon.state_dir));
  const absl::StatusOr<ScratchFolder> scratch = ScratchFolder::In(Existing(config.daemon.data_dir));
  if (!scratch.ok()) {
    facts.overlay = facts.id_mapped_mounts = Problem(scratch.status());
    return;
  }
  facts.id_mapped_mounts = Problem(isolation::ProbeIdMapping(scratch->path()));
  facts.overlay = Problem(TryOverlay(scratch->path()));
}

void ReadSysctls(CheckFacts& facts) {
  for (const std::string& name : CheckedSysctls()) {
    const std::string path = absl::StrCat("/proc/sys/", absl::StrReplaceAll(name, {{".", "/"}}));
    const absl::StatusOr<std::string> value = ReadFile(path);
    if (value.ok()) facts.sysctls[name] = std::string(absl::StripAsciiWhitespace(*value));
  }
}

void FindSeccompAgent(const std::string& agent, CheckFacts& facts) {
  facts.seccomp_agent = agent;
  if (agent.empty()) return;
  struct stat st {};
  if (stat(agent.c_str(), &st) != 0) {
    facts.seccomp_agent_problem = Problem(ErrnoStatus(errno, agent));
  } else if (!S_ISSOCK(st.st_mode)) {
    facts.seccomp_agent_problem = agent + " is no socket";
  }
  const absl::StatusOr<std::string> scope = ReadFile("/proc/sys/kernel/yama/ptrace_scope");
  if (!scope.ok() || !absl::SimpleAtoi(*scope, &facts.ptrace_scope)) facts.ptrace_scope = 0;
}

// The hard limit of open files of a process, from its proc_pid_limits(5); 0 when it is not told.
uint64_t OpenFilesOf(pid_t pid) {
  std::ifstream limits(absl::StrCat("/proc/", pid, "/limits"));
  for (std::string line; std::getline(limits, line);) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    uint64_t hard = 0;
    if (line.starts_with("Max open files") && words.size() > 4 &&
        absl::SimpleAtoi(words[4], &hard)) {
      return hard;
    }
  }
  return 0;
}

void FindOpenFiles(const config::Config& config, CheckFacts& facts) {
  facts.open_files = facts.host.open_files_hard;
  const absl::StatusOr<DaemonProcess> daemon = FindDaemon(config.daemon.socket);
  const uint64_t limit = daemon.ok() ? OpenFilesOf(daemon->pid) : 0;
  facts.daemon_runs = limit != 0;
  if (facts.daemon_runs) facts.open_files = limit;
}

void FindHostIds(const config::IsolationConfig& config, CheckFacts& facts) {
  constexpr uint64_t kEach = 65536;
  facts.first_host_id = config.first_host_id;
  facts.host_ids_end = config.first_host_id + config.host_id_ranges * kEach;
  for (const char* path : {"/etc/subuid", "/etc/subgid"}) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) facts.subordinate_ids.push_back(line);
  }
}

absl::StatusOr<CheckFacts> GatherFacts(const config::Config& config) {
  CheckFacts facts;
  absl::StatusOr<isolation::HostFacts> host = isolation::ProbeHost();
  if (!host.ok()) return host.status();
  facts.host = *std::move(host);
  facts.cgroup_driver = config.cgroup.driver;
  facts.selinux = config.isolation.selinux;
  ProbeFileSystems(config, facts);
  const network::CniSelection network =
      network::SelectCniConfig(config.cni.config_dir, config.cni.plugin_dirs);
  facts.network_problem = network.problem;
  facts.network = network.file;
  if (access(config.daemon.supervisor.c_str(), R_OK | X_OK) != 0) {
    facts.supervisor_problem = Problem(ErrnoStatus(errno, config.daemon.supervisor));
  }
  if (facts.host.apparmor && access(isolation::kAppArmorParser, X_OK) != 0) {
    facts.apparmor_problem = Problem(ErrnoStatus(errno, isolation::kAppArmorParser));
  }
  FindSeccompAgent(config.isolation.seccomp_agent, facts);
  // Where the kernel has it, but was booted with psi=0, opening is what fails.
  facts.pressure = std::ifstream("/proc/pressure/memory").is_open();
  facts.swap = isolation::IsSwapInUse();
  FindHostIds(config.isolation, facts);
  FindOpenFiles(config, facts);
  ReadSysctls(facts);
  return facts;
}

}  // namespace

absl::Status CheckThisHost(const config::Flags& flags, bool json, std::ostream& out) {
  if (geteuid() != 0) return absl::PermissionDeniedError("the check tries mounts: run it as root");
  const absl::StatusOr<config::Config> config = flags.Load();
  if (!config.ok()) return config.status();
  const absl::StatusOr<CheckFacts> facts = GatherFacts(*config);
  if (!facts.ok()) return facts.status();
  const std::vector<Finding> findings = CheckHost(*facts);
  if (json) {
    out << ToJson(findings).dump(2) << "\n";
  } else {
    out << ToText(findings);
  }
  if (IsFit(findings)) return absl::OkStatus();
  return absl::FailedPreconditionError("pods cannot run on this host as it is");
}

}  // namespace bulkhead::ctl
