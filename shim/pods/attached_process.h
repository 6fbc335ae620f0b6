// A process that a client of exec or attach talks to.
#ifndef BULKHEAD_SHIM_PODS_ATTACHED_PROCESS_H_
#define BULKHEAD_SHIM_PODS_ATTACHED_PROCESS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::pods {

// What a client asked to be connected to. With a terminal there is no standard error of its own.
struct StreamSelection {
  bool standard_input = false;
  bool standard_output = false;
  bool standard_error = false;
  bool terminal = false;

  bool operator==(const StreamSelection&) const = default;
};

// In characters, as TIOCSWINSZ takes it (ioctl_tty(2)).
struct TerminalSize {
  uint16_t width = 0;
  uint16_t height = 0;
};

// This end of the streams, non-blocking; invalid where not asked for. A terminal's `in` is its
// master, on which closing has no effect of its own; its `out` is the master too when the process
// was executed, reading which ends with EIO, and a pipe when it was attached to. Without a
// terminal, closing `in` is the end of the process's standard input, unless others hold it open.
// The output of an attached client that does not read ends early, before ended_fd is readable.
// A process that has ended has written all to its pipes; a terminal hands bytes on a moment later,
// and tells their end by EIO. Either stays open for as long as a background child holds it.
struct ProcessStreams {
  UniqueFd in;
  UniqueFd out;
  UniqueFd err;
};

// Destroying it ends the client's part. For one thread at a time.
class AttachedProcess {
 public:
  virtual ~AttachedProcess() = default;

  // Once; later calls return invalid descriptors.
  virtual ProcessStreams TakeStreams() = 0;
  // FAILED_PRECONDITION without a terminal.
  virtual absl::Status Resize(const TerminalSize& size) = 0;
  // Readable once the process has ended or its supervisor was lost. Borrowed.
  virtual int ended_fd() const = 0;
  // The exit status, or 128 + signal, once ended_fd is readable. UNAVAILABLE: it is not known.
  virtual absl::StatusOr<int32_t> ExitCode() = 0;
};

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_ATTACHED_PROCESS_H_
