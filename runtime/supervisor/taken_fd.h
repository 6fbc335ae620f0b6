#ifndef BULKHEAD_RUNTIME_SUPERVISOR_TAKEN_FD_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_TAKEN_FD_H_

#include <fcntl.h>

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "proto/plan.pb.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::supervisor {

// Moves the descriptor that a plan's or a request's field names out of the list; none for an
// absent field.
inline absl::StatusOr<UniqueFd> Take(std::vector<UniqueFd>& fds, bool present, const plan::Fd& fd,
                                     const char* field) {
  if (!present) return UniqueFd();
  if (fd.index() >= fds.size() || !fds[fd.index()].valid()) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ": no descriptor number ", fd.index(), " came along"));
  }
  return std::move(fds[fd.index()]);
}

inline UniqueFd Duplicate(int fd) { return UniqueFd(fcntl(fd, F_DUPFD_CLOEXEC, 3)); }

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_TAKEN_FD_H_
