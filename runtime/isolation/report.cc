#include "runtime/isolation/report.h"

#include <fcntl.h>
#include <sys/capability.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/path.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

constexpr const char* kNamespaces[] = {"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"};

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

absl::StatusOr<std::string> ReadFile(int directory, const char* name) {
  const UniqueFd file(openat(directory, name, O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return ErrnoStatus(errno, absl::StrCat("open ", name));
  std::string text;
  char buffer[4096];
  for (;;) {
    const ssize_t n = read(file.get(), buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoStatus(errno, absl::StrCat("read ", name));
    if (n == 0) return text;
    text.append(buffer, n);
  }
}

absl::StatusOr<NamespaceReport> ReadNamespace(int process, const char* type) {
  struct stat own {};
  struct stat host {};
  const std::string name = absl::StrCat("ns/", type);
  if (fstatat(process, name.c_str(), &own, 0) < 0) return ErrnoStatus(errno, name);
  if (stat(absl::StrCat("/proc/self/ns/", type).c_str(), &host) < 0) {
    return ErrnoStatus(errno, absl::StrCat("own ", name));
  }
  return NamespaceReport{
      .type = type, .inode = own.st_ino, .shared_with_host = own.st_ino == host.st_ino};
}

bool BelongsTo(const std::vector<std::string>& cgroups, std::string_view container_id) {
  for (const std::string& line : cgroups) {
    if (absl::StrContains(line, View(container_id))) return true;
  }
  return false;
}

std::vector<std::string> Lines(const std::string& text) {
  return absl::StrSplit(absl::StripSuffix(text, "\n"), '\n');
}

// Runs of blanks become one, so that a map reads "0 100000 65536".
std::string Squeezed(const std::string& text) {
  std::vector<std::string> words = absl::StrSplit(text, absl::ByAnyChar(" \n"), absl::SkipEmpty());
  return absl::StrJoin(words, " ");
}

template <typename T>
T Number(absl::string_view text) {
  T value{};
  return absl::SimpleAtoi(text, &value) ? value : T{};
}

uint64_t Hex(absl::string_view text) {
  uint64_t value = 0;
  return absl::SimpleHexAtoi(text, &value) ? value : 0;
}

bool HasEnded(const std::string& status) {
  return absl::StrContains(status, "\nState:\tZ") || absl::StrContains(status, "\nState:\tX");
}

// Whether a mount can be looked at without a server or a program being asked: it, and all on the
// way to it (d_weak_revalidate, lookups). An overlay may give a file another inode (copy-up).
bool AnswersAtOnce(const std::vector<MountReport>& mounts, const MountReport& wanted) {
  constexpr absl::string_view kLocal[] = {"btrfs", "ext2",  "ext3", "ext4", "f2fs",
                                          "ramfs", "tmpfs", "xfs",  "zfs",  "overlay"};
  return wanted.type != "overlay" && std::ranges::all_of(mounts, [&](const MountReport& mount) {
           return !IsAtOrBelow(wanted.destination, mount.destination) ||
                  std::ranges::find(kLocal, mount.type) != std::end(kLocal);
         });
}

// Of a mount that the list told of, what it is of.
void AddPlaces(std::map<std::string, Place> found, IsolationReport& report) {
  for (auto& [path, place] : found) {
    const auto [known, added] = report.places.try_emplace(path, place);
    if (!added && known->second.mount_id == place.mount_id) known->second = place;
  }
}

void ReadRequested(int process, const ReportRequest& request, IsolationReport& report) {
  std::vector<std::string> paths;
  for (const std::string& path : request.paths) {
    const MountReport* mount = FindMount(report.mounts, path);
    if (mount != nullptr) report.places[path] = {.mount_id = mount->id, .is_mount = true};
    const bool asked = mount != nullptr && request.sources.contains(path);
    if (mount == nullptr || (asked && AnswersAtOnce(report.mounts, *mount))) paths.push_back(path);
  }
  const UniqueFd root(openat(process, "root", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (root.valid()) AddPlaces(FindPlaces(root.get(), paths), report);
  for (const std::string& file : request.files) {
    absl::StatusOr<std::string> text = ReadFile(AT_FDCWD, file.c_str());
    if (text.ok()) report.files[file] = std::string(absl::StripSuffix(*text, "\n"));
  }
}

}  // namespace

std::vector<std::string> CapabilityNames(uint64_t mask) {
  std::vector<std::string> names;
  for (int capability = 0; capability < 64; ++capability) {
    if ((mask >> capability & 1) == 0) continue;
    char* name = cap_to_name(capability);
    names.push_back(name != nullptr ? name : absl::StrCat(capability));
    cap_free(name);
  }
  return names;
}

CredentialsReport ParseCredentials(std::string_view status) {
  static constexpr std::pair<absl::string_view, const char*> kSets[] = {{"CapInh", "inheritable"},
                                                                        {"CapPrm", "permitted"},
                                                                        {"CapEff", "effective"},
                                                                        {"CapBnd", "bounding"},
                                                                        {"CapAmb", "ambient"}};
  CredentialsReport report;
  for (absl::string_view line : absl::StrSplit(View(status), '\n')) {
    const std::pair<absl::string_view, absl::string_view> field =
        absl::StrSplit(line, absl::MaxSplits(':', 1));
    const std::vector<absl::string_view> words =
        absl::StrSplit(field.second, absl::ByAnyChar(" \t"), absl::SkipEmpty());
    if (field.first == "Groups") {
      for (absl::string_view word : words) report.groups.push_back(Number<uint32_t>(word));
    }
    if (words.empty()) continue;
    // The second of real, effective, saved and file system id.
    if (field.first == "Uid" && words.size() > 1) report.uid = Number<uint32_t>(words[1]);
    if (field.first == "Gid" && words.size() > 1) report.gid = Number<uint32_t>(words[1]);
    if (field.first == "NSpid") report.own_pid = Number<pid_t>(words.back());
    if (field.first == "NoNewPrivs") report.no_new_privs = words[0] == "1";
    if (field.first == "Seccomp") report.seccomp_mode = Number<int>(words[0]);
    if (field.first == "Seccomp_filters") report.seccomp_filters = Number<int>(words[0]);
    for (const auto& [name, set] : kSets) {
      if (field.first == name) report.capabilities[set] = Hex(words[0]);
    }
  }
  return report;
}

uint64_t ParseOpenFilesHard(std::string_view limits) {
  for (absl::string_view line : absl::StrSplit(View(limits), '\n')) {
    if (!absl::ConsumePrefix(&line, "Max open files")) continue;
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ', absl::SkipEmpty());
    if (words.size() < 2 || words[1] == "unlimited") return UINT64_MAX;
    return Number<uint64_t>(words[1]);
  }
  return UINT64_MAX;
}

absl::StatusOr<IsolationReport> ReadIsolation(pid_t pid, std::string_view container_id,
                                              const ReportRequest& request) {
  const std::string path = absl::StrCat("/proc/", pid);
  // All reads go through one descriptor: it names this process, never a later one of the number.
  const UniqueFd process(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!process.valid()) return ErrnoStatus(errno, absl::StrCat("open ", path));
  IsolationReport report{.pid = pid};
  for (const char* type : kNamespaces) {
    absl::StatusOr<NamespaceReport> one = ReadNamespace(process.get(), type);
    if (!one.ok()) return Annotate(one.status(), path);
    report.namespaces.push_back(*std::move(one));
  }
  std::string status;
  std::string cgroup;
  std::string mountinfo;
  std::string oom_score_adj;
  std::string limits;
  const std::pair<const char*, std::string*> files[] = {
      {"status", &status},          {"cgroup", &cgroup},
      {"mountinfo", &mountinfo},    {"oom_score_adj", &oom_score_adj},
      {"uid_map", &report.uid_map}, {"gid_map", &report.gid_map},
      {"limits", &limits}};
  for (const auto& [name, text] : files) {
    absl::StatusOr<std::string> read = ReadFile(process.get(), name);
    if (!read.ok()) return Annotate(read.status(), path);
    *text = *std::move(read);
  }
  report.uid_map = Squeezed(report.uid_map);
  report.gid_map = Squeezed(report.gid_map);
  report.cgroups = Lines(cgroup);
  if (!BelongsTo(report.cgroups, container_id)) {
    return absl::FailedPreconditionError(
        absl::StrCat("process ", pid, " is not in a cgroup of container ", View(container_id)));
  }
  report.credentials = ParseCredentials(status);
  report.mounts = ParseMounts(mountinfo);
  report.open_files_hard = ParseOpenFilesHard(limits);
  report.oom_score_adj = Number<int>(absl::StripSuffix(oom_score_adj, "\n"));
  ReadRequested(process.get(), request, report);
  // EINVAL without an LSM that labels processes: the label stays empty.
  if (absl::StatusOr<std::string> label = ReadFile(process.get(), "attr/current"); label.ok()) {
    // AppArmor ends it with a newline, SELinux with a NUL.
    while (!label->empty() && (label->back() == '\n' || label->back() == '\0')) label->pop_back();
    report.lsm_label = *std::move(label);
  }
  // What was read of a process that has ended meanwhile is not what it had.
  const absl::StatusOr<std::string> last = ReadFile(process.get(), "status");
  if (!last.ok() || HasEnded(*last)) return absl::NotFoundError(absl::StrCat(path, " has ended"));
  return report;
}

nlohmann::json ToJson(const IsolationReport& report) {
  const CredentialsReport& credentials = report.credentials;
  nlohmann::json capabilities = nlohmann::json::object();
  for (const auto& [set, mask] : credentials.capabilities) {
    capabilities[set] = CapabilityNames(mask);
  }
  nlohmann::json namespaces = nlohmann::json::object();
  for (const NamespaceReport& one : report.namespaces) {
    namespaces[one.type] = {{"inode", one.inode}, {"owner", one.shared_with_host ? "host" : "own"}};
  }
  nlohmann::json mounts = nlohmann::json::array();
  for (const MountReport& mount : report.mounts) {
    mounts.push_back({{"destination", mount.destination},
                      {"type", mount.type},
                      {"options", mount.options},
                      {"propagation", mount.propagation}});
  }
  return {
      {"pid", report.pid},
      {"namespaces", namespaces},
      {"uidMap", report.uid_map},
      {"gidMap", report.gid_map},
      {"user",
       {{"uid", credentials.uid}, {"gid", credentials.gid}, {"groups", credentials.groups}}},
      {"capabilities", capabilities},
      {"noNewPrivs", credentials.no_new_privs},
      {"seccomp", {{"mode", credentials.seccomp_mode}, {"filters", credentials.seccomp_filters}}},
      {"lsmLabel", report.lsm_label},
      {"cgroups", report.cgroups},
      {"oomScoreAdj", report.oom_score_adj},
      {"openFiles", report.open_files_hard},
      {"mounts", mounts}};
}

}  // namespace bulkhead::isolation
