#include "shim/network/leftover_plugins.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <set>
#include <string_view>
#include <system_error>

#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/file.h"
#include "runtime/kernel/process.h"

namespace bulkhead::network {
namespace {

namespace fs = std::filesystem;

// Enough for one that has just started another program, in each round.
constexpr int kRounds = 10;
// SIGKILL acts at once but on a process that waits for a device.
constexpr int kPatience = 2000;  // Milliseconds.

bool WorksFor(const std::string& process, const std::set<std::string_view>& pod_ids) {
  const absl::StatusOr<std::string> environment = ReadFile(process + "/environ");
  if (!environment.ok()) return false;
  for (absl::string_view variable : absl::StrSplit(*environment, '\0')) {
    if (!absl::ConsumePrefix(&variable, "CNI_CONTAINERID=")) continue;
    return pod_ids.contains(std::string_view(variable.data(), variable.size()));
  }
  return false;
}

bool End(pid_t pid, const std::string& process, const std::set<std::string_view>& pod_ids) {
  const UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  // Looked at again: the number may have become another's before the descriptor was there.
  if (!pidfd.valid() || !WorksFor(process, pod_ids)) return false;
  if (!SendSignal(pidfd.get(), SIGKILL).ok()) return false;
  pollfd end{pidfd.get(), POLLIN, 0};
  poll(&end, 1, kPatience);
  return true;
}

bool EndAll(const std::set<std::string_view>& pod_ids) {
  bool ended = false;
  std::error_code error;
  for (fs::directory_iterator entry("/proc", error), last; !error && entry != last;
       entry.increment(error)) {
    const std::string name = entry->path().filename();
    pid_t pid = 0;
    const auto [rest, fault] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (fault != std::errc() || rest != name.data() + name.size()) continue;
    if (WorksFor(entry->path(), pod_ids)) ended |= End(pid, entry->path(), pod_ids);
  }
  return ended;
}

}  // namespace

void EndLeftoverPlugins(const std::vector<std::string>& pod_ids) {
  const std::set<std::string_view> ids(pod_ids.begin(), pod_ids.end());
  if (ids.empty()) return;
  for (int round = 0; round < kRounds && EndAll(ids); ++round) {
  }
}

}  // namespace bulkhead::network
