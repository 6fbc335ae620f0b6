#include "shim/ctl/isolation_commands.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <optional>
#include <sstream>
#include <system_error>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"
#include "runtime/isolation/report.h"
#include "runtime/isolation/systemd_units.h"
#include "shim/ctl/planned_label.h"

namespace bulkhead::ctl {
namespace {

constexpr size_t kIdLength = 64;

bool IsHexadecimal(absl::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == absl::string_view::npos;
}

std::string ReadText(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The id of the container that a process is in, from the text of its cgroup file: the last part
// of a path that can be an id. Empty for a process that is in none that starts with `prefix`.
std::string ContainerIn(const std::string& cgroups, const std::string& prefix) {
  for (absl::string_view line : absl::StrSplit(cgroups, '\n')) {
    std::string last;
    for (absl::string_view part : absl::StrSplit(line, '/')) {
      const std::string scoped = isolation::IdOfScope({part.data(), part.size()});
      const std::string id = scoped.empty() ? std::string(part) : scoped;
      if (id.size() == kIdLength && IsHexadecimal(id)) last = id;
    }
    if (!last.empty() && last.substr(0, prefix.size()) == prefix) return last;
  }
  return "";
}

// Clock ticks from boot to the process' start, field 22 of proc_pid_stat(5), counted after the
// name, which may hold anything.
uint64_t StartOf(const std::filesystem::path& process) {
  const std::string stat = ReadText(process / "stat");
  const std::vector<std::string> fields =
      absl::StrSplit(stat.substr(std::min(stat.size(), stat.rfind(')') + 1)), ' ');
  uint64_t start = UINT64_MAX;
  if (fields.size() > 20) (void)absl::SimpleAtoi(fields[20], &start);
  return start;
}

void Row(std::ostream& out, const std::string& name, const std::string& value) {
  out << std::left << std::setw(18) << name << (value.empty() ? "none" : value) << "\n";
}

std::string NamespacesOf(const isolation::IsolationReport& report, bool shared) {
  std::vector<std::string> types;
  for (const isolation::NamespaceReport& one : report.namespaces) {
    if (one.shared_with_host == shared) types.push_back(one.type);
  }
  return absl::StrJoin(types, " ");
}

std::string SeccompOf(const isolation::CredentialsReport& credentials) {
  if (credentials.seccomp_mode == 0) return "off";
  if (credentials.seccomp_mode == 1) return "strict";
  return absl::StrCat("filter (", credentials.seccomp_filters, ")");
}

// `planned` as PlannedLabel has it.
std::string LabelOf(const isolation::IsolationReport& report,
                    const std::optional<std::string>& planned) {
  if (!planned.has_value() || IsPlannedLabel(report.lsm_label, *planned)) return report.lsm_label;
  return absl::StrCat(report.lsm_label, ", DIFFERS from its plan: ", *planned);
}

void PrintSummary(const isolation::IsolationReport& report,
                  const std::optional<std::string>& planned, std::ostream& out) {
  const isolation::CredentialsReport& credentials = report.credentials;
  const nlohmann::json names = isolation::ToJson(report)["capabilities"]["effective"];
  Row(out, "process", absl::StrCat(report.pid));
  Row(out, "own namespaces", NamespacesOf(report, false));
  Row(out, "host's namespaces", NamespacesOf(report, true));
  Row(out, "user", absl::StrCat(credentials.uid, ":", credentials.gid));
  Row(out, "groups", absl::StrJoin(credentials.groups, " "));
  Row(out, "capabilities", absl::StrJoin(names.get<std::vector<std::string>>(), " "));
  Row(out, "no new privileges", credentials.no_new_privs ? "yes" : "no");
  Row(out, "seccomp", SeccompOf(credentials));
  Row(out, "security label", LabelOf(report, planned));
  Row(out, "oom_score_adj", absl::StrCat(report.oom_score_adj));
  for (const isolation::MountReport& mount : report.mounts) {
    Row(out, "mount", absl::StrCat(mount.destination, " (", mount.type, ", ", mount.options, ")"));
  }
}

}  // namespace

absl::StatusOr<ContainerProcess> FindContainer(const std::string& proc, const std::string& id) {
  if (id.empty() || id.size() > kIdLength || !IsHexadecimal(id)) {
    return absl::InvalidArgumentError(absl::StrCat("\"", id, "\" is not a container's id"));
  }
  std::optional<ContainerProcess> found;
  uint64_t oldest = UINT64_MAX;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(proc, error)) {
    pid_t pid = 0;
    if (!absl::SimpleAtoi(entry.path().filename().string(), &pid)) continue;
    const std::string container = ContainerIn(ReadText(entry.path() / "cgroup"), id);
    if (container.empty()) continue;
    if (found && found->container_id != container) {
      return absl::InvalidArgumentError(absl::StrCat("several containers' ids start with ", id));
    }
    const uint64_t start = StartOf(entry.path());
    if (found && start >= oldest) continue;
    oldest = start;
    found = ContainerProcess{pid, container};
  }
  if (!found) return absl::NotFoundError(absl::StrCat("no process runs in container ", id));
  return *found;
}

absl::Status PrintIsolation(const config::Flags& flags, const std::string& id, bool json,
                            std::ostream& out) {
  const absl::StatusOr<config::Config> config = flags.Load();
  if (!config.ok()) return config.status();
  const absl::StatusOr<ContainerProcess> process = FindContainer("/proc", id);
  if (!process.ok()) return process.status();
  const absl::StatusOr<isolation::IsolationReport> report =
      isolation::ReadIsolation(process->pid, process->container_id);
  if (!report.ok()) return report.status();
  const std::optional<std::string> planned =
      PlannedLabel(config->daemon.state_dir, process->container_id);
  if (json) {
    nlohmann::json object = isolation::ToJson(*report);
    if (planned.has_value()) object["plannedLsmLabel"] = *planned;
    out << object.dump(2) << "\n";
  } else {
    PrintSummary(*report, planned, out);
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::ctl
