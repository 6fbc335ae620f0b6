// Pipes and terminals between a client and a process.
#ifndef BULKHEAD_SHIM_PODS_PROCESS_STREAMS_H_
#define BULKHEAD_SHIM_PODS_PROCESS_STREAMS_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"
#include "shim/pods/attached_process.h"

namespace bulkhead::pods {

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

// Which end is the daemon's, and therefore non-blocking. What a process is given must block, as it
// expects.
enum class OurEnd { kRead, kWrite };
absl::StatusOr<Pipe> MakePipe(OurEnd ours);

absl::StatusOr<UniqueFd> Duplicate(const UniqueFd& fd);

// FAILED_PRECONDITION without a terminal.
absl::Status ResizeTerminal(const UniqueFd& master, const TerminalSize& size);

// Whether a descriptor is readable now.
bool IsReadable(int fd);

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_PROCESS_STREAMS_H_
