#include "runtime/isolation/freezer.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "absl/strings/str_cat.h"
#include "runtime/isolation/cgroup_files.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

constexpr char kState[] = "freezer.state";

absl::StatusOr<std::vector<UniqueFd>> OpenProcesses(const std::string& directory) {
  absl::StatusOr<std::vector<pid_t>> pids = ProcessesBelow(directory);
  if (!pids.ok()) return pids.status();
  std::vector<UniqueFd> pidfds;
  for (const pid_t pid : *pids) {
    UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    if (pidfd.valid()) {
      pidfds.push_back(std::move(pidfd));
    } else if (errno != ESRCH && errno != EINVAL) {
      return ErrnoStatus(errno, "pidfd_open");
    }
  }
  return pidfds;
}

absl::Status KillFrozen(const std::vector<UniqueFd>& pidfds) {
  absl::Status first;
  for (const UniqueFd& pidfd : pidfds) {
    absl::Status status = SendSignal(pidfd.get(), SIGKILL);
    if (!absl::IsNotFound(status)) first.Update(status);
  }
  return first;
}

absl::Status AwaitEnd(const std::vector<UniqueFd>& pidfds, const std::string& directory,
                      absl::Time deadline) {
  for (const UniqueFd& pidfd : pidfds) {
    pollfd polled = {.fd = pidfd.get(), .events = POLLIN};
    int ready;
    do {
      const int timeout = PollTimeout(deadline);
      if (timeout == 0) {
        return absl::DeadlineExceededError(absl::StrCat(directory, ": processes do not end"));
      }
      ready = poll(&polled, 1, timeout);
    } while (ready == 0 || (ready < 0 && errno == EINTR));
    if (ready < 0) return ErrnoStatus(errno, "poll a pidfd");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status KillWithFreezer(const std::string& directory, absl::Time deadline) {
  while (true) {
    absl::Status frozen = WriteCgroupFile(directory, kState, "FROZEN");
    if (ErrnoOf(frozen) == ENOENT || ErrnoOf(frozen) == ENODEV) return absl::OkStatus();
    if (!frozen.ok()) return frozen;
    absl::StatusOr<std::vector<UniqueFd>> pidfds = OpenProcesses(directory);
    absl::Status killed = pidfds.ok() ? KillFrozen(*pidfds) : pidfds.status();
    // Thawed in any case: a frozen process does not die, not even of SIGKILL.
    killed.Update(WriteCgroupFile(directory, kState, "THAWED"));
    if (!killed.ok()) return killed;
    if (pidfds->empty()) return absl::OkStatus();
    if (absl::Status status = AwaitEnd(*pidfds, directory, deadline); !status.ok()) return status;
  }
}

}  // namespace bulkhead::isolation
