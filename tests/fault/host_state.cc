#include "tests/fault/host_state.h"

#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <sstream>

#include "tests/conformance/fixture/child.h"
#include "tests/conformance/fixture/files.h"

namespace bulkhead::fault {
namespace {

namespace fs = std::filesystem;
using fixture::ReadFile;
using fixture::RunCommand;

// Nothing for a file that went away meanwhile.
std::string ReadIfThere(const fs::path& path) {
  try {
    return ReadFile(path);
  } catch (const std::exception&) {
    return "";
  }
}

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

bool IsProcess(const fs::directory_entry& entry) {
  return entry.path().filename().string().find_first_not_of("0123456789") == std::string::npos;
}

std::string Field(const std::string& line, size_t index) {
  std::istringstream words(line);
  std::string word;
  for (size_t i = 0; i <= index && words >> word; ++i) {
  }
  return words ? word : "";
}

// What the machine runs for itself: kernel threads, whose names tell what they do at the moment,
// and udev's workers, which come with any new link.
bool IsTheMachinesOwn(const std::string& stat) {
  constexpr unsigned long kKernelThread = 0x00200000;  // PF_KTHREAD of the kernel's sched.h.
  const size_t end_of_name = stat.rfind(')');
  if (end_of_name == stat.npos) return false;
  const std::string flags = Field(stat.substr(end_of_name + 1), 6);
  return (!flags.empty() && (std::stoul(flags) & kKernelThread) != 0) ||
         stat.find("((udev-worker))") != stat.npos;
}

std::vector<std::string> MountsOf(const fs::path& process) {
  std::vector<std::string> mounts;
  for (const std::string& line : Lines(ReadFile(process / "mountinfo"))) {
    const size_t tail = line.find(" - ");
    mounts.push_back(Field(line, 4) + " " + Field(line.substr(tail + 3), 0));
  }
  return mounts;
}

// Counters and times differ from one listing to the next.
bool IsRule(const std::string& line) { return !line.empty() && line[0] != '#' && line[0] != ':'; }

// Visits all that is below a folder. A recursive_directory_iterator would end at the first folder
// that goes away meanwhile, as those of other programs of the machine do.
void Walk(const fs::path& folder, const std::function<void(const fs::directory_entry&)>& visit) {
  std::error_code gone;
  for (auto entry = fs::directory_iterator(folder, gone); entry != fs::directory_iterator();
       entry.increment(gone)) {
    visit(*entry);
    if (!entry->is_symlink(gone) && entry->is_directory(gone)) Walk(entry->path(), visit);
  }
}

}  // namespace

HostState HostState::Take(const Scope& scope) {
  HostState state;
  state.AddMounts();
  state.AddProcesses();
  state.AddCgroups(scope.cgroup_names);
  for (const pid_t program : scope.programs) state.AddProgram(program);
  if (scope.network) {
    state.AddNetwork();
    state.AddSockets();
  }
  state.AddFiles(scope.folders);
  return state;
}

void HostState::AddMounts() {
  for (const std::string& mount : MountsOf("/proc/self")) Add("mount", mount);
}

void HostState::AddProgram(pid_t pid) {
  const fs::path process = "/proc/" + std::to_string(pid);
  const std::string name = "of process " + std::to_string(pid);
  for (const std::string& mount : MountsOf(process)) Add("mount " + name, mount);
  for (const char* space : {"mnt", "net", "ipc", "uts", "pid", "pid_for_children", "cgroup"}) {
    Add("namespace " + name, fs::read_symlink(process / "ns" / space));
  }
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator(process / "fd", gone)) {
    const std::string what = fs::read_symlink(entry.path(), gone);
    // "socket:[123]": which one of its kind is all the same.
    if (!gone) Add("descriptor " + name, what.substr(0, what.find(":[")));
  }
}

void HostState::AddProcesses() {
  for (const auto& entry : fs::directory_iterator("/proc")) {
    if (!IsProcess(entry) || IsTheMachinesOwn(ReadIfThere(entry.path() / "stat"))) continue;
    std::string name = ReadIfThere(entry.path() / "comm");
    if (!name.empty()) Add("process", name.substr(0, name.size() - 1));
    std::error_code gone;
    const fs::path netns = fs::read_symlink(entry.path() / "ns/net", gone);
    // Threads of the test hold none of their own; a namespace counts once.
    if (!gone) entries_["network namespace: " + netns.string()] = 1;
  }
}

void HostState::AddCgroups(const std::vector<std::string>& names) {
  Walk("/sys/fs/cgroup", [&](const fs::directory_entry& entry) {
    std::error_code gone;
    const std::string path = entry.path();
    if (entry.is_directory(gone) &&
        std::any_of(names.begin(), names.end(),
                    [&](const std::string& name) { return path.find(name) != path.npos; })) {
      Add("cgroup", path);
    }
  });
}

void HostState::AddNetwork() {
  struct if_nameindex* links = if_nameindex();
  for (auto* link = links; link != nullptr && link->if_index != 0; ++link) {
    Add("link", link->if_name);
  }
  if_freenameindex(links);
  for (const char* program : {"iptables-save", "ip6tables-save"}) {
    for (const std::string& line : Lines(RunCommand({program}))) {
      if (IsRule(line)) Add(program, line);
    }
  }
  for (const std::string& line : Lines(RunCommand({"nft", "--stateless", "list", "ruleset"}))) {
    if (IsRule(line)) Add("nft", line);
  }
}

void HostState::AddSockets() {
  for (const std::string& line : Lines(ReadFile("/proc/net/unix"))) {
    const std::string path = Field(line, 7);
    const bool listens = Field(line, 3) == "00010000";
    if (listens && !path.empty()) Add("unix socket", path);
  }
  constexpr char kListen[] = "0A";
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    for (const std::string& line : Lines(ReadFile(table))) {
      if (Field(line, 3) == kListen) Add("listening port", Field(line, 1));
    }
  }
}

void HostState::AddFiles(const std::vector<fs::path>& folders) {
  for (const fs::path& folder : folders) {
    Walk(folder, [&](const fs::directory_entry& entry) { Add("file", entry.path()); });
  }
}

std::vector<std::string> HostState::DifferencesTo(const HostState& later) const {
  std::vector<std::string> differences;
  auto list = [&](const HostState& from, const HostState& with, const char* sign) {
    for (const auto& [what, count] : with.entries_) {
      const auto other = from.entries_.find(what);
      const int more = count - (other == from.entries_.end() ? 0 : other->second);
      if (more > 0) differences.push_back(sign + what + " x" + std::to_string(more));
    }
  };
  list(*this, later, "+ ");
  list(later, *this, "- ");
  return differences;
}

}  // namespace bulkhead::fault
