#include "shim/ctl/isolation_commands.h"

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iomanip>
#include <optional>
#include <sstream>
#include <system_error>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "nlohmann/json.hpp"
#include "runtime/isolation/cgroup.h"
#include "runtime/isolation/comparison.h"
#include "runtime/isolation/host_facts.h"
#include "runtime/isolation/systemd_units.h"
#include "shim/config/config.h"
#include "shim/pods/exit_record.h"
#include "shim/pods/isolation_status.h"
#include "shim/pods/record.h"

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

// A running container and what is to be said of it.
struct Container {
  std::string pod_id;
  std::string id;
  std::string name;  // "namespace/pod/container".
  pid_t pid = 0;
  absl::StatusOr<std::vector<isolation::Comparison>> comparisons;
};

std::string NameOf(const pods::PodRecord& pod, const pods::ContainerRecord& container) {
  return absl::StrCat(pod.spec.metadata.name_space, "/", pod.spec.metadata.name, "/",
                      container.spec.metadata.name);
}

// Before, its process is not the container's program yet. That a start was successful need not be
// in the record, which tells of what was to be done.
bool WasStarted(const pods::ContainerRecord& record) {
  return record.phase == pods::ContainerPhase::kStarting ||
         record.phase == pods::ContainerPhase::kRunning;
}

// Those whose id or whose pod's id starts with `id`. A pod that goes meanwhile is left out.
absl::StatusOr<std::vector<Container>> ReadContainers(const config::Config& config,
                                                      const std::string& id) {
  const absl::StatusOr<isolation::HostFacts> facts = isolation::ProbeHost();
  if (!facts.ok()) return facts.status();
  const auto cgroups = isolation::CgroupManager::ForHost(*facts);
  const pods::RecordStore records(config.daemon.state_dir + "/pods");
  const absl::StatusOr<std::vector<std::string>> pods = records.List();
  if (!pods.ok()) return pods.status();
  std::vector<Container> containers;
  for (const std::string& pod_id : *pods) {
    const absl::StatusOr<pods::PodFile> file = records.Read(pod_id);
    if (absl::IsNotFound(file.status())) continue;
    if (!file.ok()) {
      containers.push_back({.pod_id = pod_id, .comparisons = file.status()});
      continue;
    }
    for (const pods::ContainerRecord& record : file->containers) {
      if (!absl::StartsWith(pod_id, id) && !absl::StartsWith(record.id, id)) continue;
      if (!WasStarted(record)) continue;
      const absl::StatusOr<ContainerProcess> process = FindContainer("/proc", record.id);
      if (!process.ok()) {
        const auto exit = pods::ReadExitRecord(records.ExitRecordOf(pod_id, record.id));
        if (exit.ok() && exit->has_value()) continue;
        containers.push_back({.pod_id = pod_id,
                              .id = record.id,
                              .name = NameOf(file->pod, record),
                              .comparisons = process.status()});
        continue;
      }
      const std::string plan = records.PlanFileOf(pod_id, record.id);
      containers.push_back(
          {.pod_id = pod_id,
           .id = record.id,
           .name = NameOf(file->pod, record),
           .pid = process->pid,
           .comparisons = pods::CompareWithPlan(*cgroups, file->pod, record, plan, process->pid)});
    }
  }
  return containers;
}

bool IsAsPlanned(const Container& container) {
  return container.comparisons.ok() && !isolation::Differs(*container.comparisons);
}

void PrintTable(const Container& container, std::ostream& out) {
  out << "container " << container.id << " " << container.name << ", process " << container.pid
      << "\n";
  if (!container.comparisons.ok()) {
    out << "  unknown: " << container.comparisons.status().message() << "\n";
    return;
  }
  size_t width = 0;
  for (const isolation::Comparison& one : *container.comparisons) {
    width = std::max(width, one.mechanism.size());
  }
  for (const isolation::Comparison& one : *container.comparisons) {
    const bool same = one.verdict == isolation::Verdict::kAsPlanned;
    out << "  " << std::left << std::setw(static_cast<int>(width)) << absl::CEscape(one.mechanism)
        << "  " << absl::CEscape(one.actual);
    if (!same) {
      out << "  [" << isolation::Name(one.verdict) << "; planned: " << absl::CEscape(one.planned)
          << "]";
    }
    out << "\n";
  }
}

nlohmann::json ToJson(const Container& container) {
  nlohmann::json json = {{"pod", container.pod_id},
                         {"container", container.id},
                         {"name", container.name},
                         {"pid", container.pid}};
  if (container.comparisons.ok()) {
    json["differs"] = isolation::Differs(*container.comparisons);
    json["mechanisms"] = isolation::ToJson(*container.comparisons);
  } else {
    json["unknown"] = container.comparisons.status().message();
  }
  return json;
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
  if (geteuid() != 0) return absl::PermissionDeniedError("isolation has to be run as root");
  if (id.size() > kIdLength || !IsHexadecimal(id)) {
    return absl::InvalidArgumentError(absl::StrCat("\"", id, "\" is no container's or pod's id"));
  }
  const absl::StatusOr<config::Config> config = flags.Load();
  if (!config.ok()) return config.status();
  const absl::StatusOr<std::vector<Container>> containers = ReadContainers(*config, id);
  if (!containers.ok()) return containers.status();
  if (containers->empty() && !id.empty()) {
    return absl::NotFoundError(absl::StrCat("no container of ", id, " runs"));
  }
  if (json) {
    nlohmann::json all = nlohmann::json::array();
    for (const Container& container : *containers) all.push_back(ToJson(container));
    out << all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
  } else {
    for (const Container& container : *containers) PrintTable(container, out);
  }
  const auto others = std::ranges::count_if(*containers, std::not_fn(IsAsPlanned));
  if (others == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(others, " of ", containers->size(),
                                                    " containers are not known to be as planned"));
}

}  // namespace bulkhead::ctl
