#include "runtime/kernel/peer_group.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/file.h"
#include "runtime/kernel/status.h"

namespace bulkhead {
namespace {

constexpr size_t kLongestTable = 16 << 20;  // Bytes.

// From the line of a mount in mountinfo (proc_pid_mountinfo(5)): the optional fields lie between
// the sixth field and a lone "-".
PeerGroup ParsePeerGroup(absl::string_view line) {
  const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ');
  PeerGroup group = PeerGroup::kPrivate;
  for (size_t i = 6; i < fields.size() && fields[i] != "-"; ++i) {
    if (absl::StartsWith(fields[i], "shared:")) return PeerGroup::kShared;
    if (absl::StartsWith(fields[i], "master:")) group = PeerGroup::kSlave;
  }
  return group;
}

}  // namespace

absl::StatusOr<PeerGroup> PeerGroupOf(int fd, int procfs) {
  struct statx st = {};
  if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) != 0) return ErrnoStatus(errno, "statx");
  const UniqueFd file(openat(procfs, "thread-self/mountinfo", O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return ErrnoStatus(errno, "open mountinfo");
  absl::StatusOr<std::string> table = ReadAll(file.get(), kLongestTable);
  if (!table.ok()) return Annotate(table.status(), "mountinfo");
  for (absl::string_view line : absl::StrSplit(*table, '\n', absl::SkipEmpty())) {
    uint64_t id = 0;
    if (absl::SimpleAtoi(line.substr(0, line.find(' ')), &id) && id == st.stx_mnt_id) {
      return ParsePeerGroup(line);
    }
  }
  return absl::FailedPreconditionError("its mount is not in the mount table");
}

}  // namespace bulkhead
