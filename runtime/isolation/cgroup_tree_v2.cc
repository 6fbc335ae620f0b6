#include "runtime/isolation/cgroup_tree_v2.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "runtime/isolation/cgroup_files.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/file.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

bool IsGone(int error) { return error == ENOENT || error == ENODEV; }

// From an open cgroup.events, at its start.
absl::StatusOr<bool> ReadPopulated(int events) {
  if (lseek(events, 0, SEEK_SET) != 0) {
    if (IsGone(errno)) return false;
    return ErrnoStatus(errno, "lseek cgroup.events");
  }
  absl::StatusOr<std::string> text = ReadAll(events, 4096);
  if (!text.ok()) {
    if (IsGone(ErrnoOf(text.status()))) return false;
    return Annotate(text.status(), "cgroup.events");
  }
  return absl::StrContains(*text, "populated 1");
}

absl::StatusOr<UniqueFd> OpenEvents(const std::string& directory) {
  UniqueFd events(open(absl::StrCat(directory, "/cgroup.events").c_str(), O_RDONLY | O_CLOEXEC));
  if (!events.valid()) return ErrnoStatus(errno, absl::StrCat(directory, "/cgroup.events"));
  return events;
}

}  // namespace

absl::StatusOr<bool> IsPopulated(const std::string& directory) {
  absl::StatusOr<UniqueFd> events = OpenEvents(directory);
  if (events.ok()) return ReadPopulated(events->get());
  if (IsGone(ErrnoOf(events.status()))) return false;
  return events.status();
}

absl::Status AwaitEmpty(const std::string& directory, absl::Time deadline) {
  absl::StatusOr<UniqueFd> events = OpenEvents(directory);
  if (!events.ok()) {
    return IsGone(ErrnoOf(events.status())) ? absl::OkStatus() : events.status();
  }
  while (true) {
    absl::StatusOr<bool> populated = ReadPopulated(events->get());
    if (!populated.ok()) return populated.status();
    if (!*populated) return absl::OkStatus();
    const int timeout = PollTimeout(deadline);
    if (timeout == 0) {
      return absl::DeadlineExceededError(absl::StrCat(directory, ": processes do not end"));
    }
    // The kernel marks the file when "populated" changes after it was last read.
    pollfd polled = {.fd = events->get(), .events = POLLPRI};
    if (poll(&polled, 1, timeout) < 0 && errno != EINTR) return ErrnoStatus(errno, "poll");
  }
}

absl::Status KillTree(const std::string& directory, absl::Time deadline) {
  absl::Status status = WriteCgroupFile(directory, "cgroup.kill", "1");
  if (!status.ok() && IsGone(ErrnoOf(status))) return absl::OkStatus();
  if (!status.ok()) return status;
  return AwaitEmpty(directory, deadline);
}

}  // namespace bulkhead::isolation
