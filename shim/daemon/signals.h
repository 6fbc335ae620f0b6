#ifndef BULKHEAD_SHIM_DAEMON_SIGNALS_H_
#define BULKHEAD_SHIM_DAEMON_SIGNALS_H_

#include <optional>

#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::daemon {

struct Signal {
  int number = 0;
  std::optional<int> value;  // Of sigqueue(3); none from kill(2).
};

// The signals of a daemon, taken one by one instead of by handlers: SIGTERM, SIGINT, SIGHUP,
// SIGUSR1 and SIGUSR2.
class SignalQueue {
 public:
  // Blocks them in the calling thread and those that it starts later; to be called before there
  // are any.
  static absl::StatusOr<SignalQueue> Create();

  // Waits for the next one.
  absl::StatusOr<Signal> Next();

 private:
  explicit SignalQueue(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
};

// The verbosity after SIGUSR1 (one more, or its value) or SIGUSR2 (one less), from 0 to 10.
int VerbosityAfter(const Signal& signal, int verbosity);

}  // namespace bulkhead::daemon

#endif  // BULKHEAD_SHIM_DAEMON_SIGNALS_H_
