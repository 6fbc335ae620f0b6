// Standard streams and terminals.
#ifndef BULKHEAD_RUNTIME_ISOLATION_TERMINAL_H_
#define BULKHEAD_RUNTIME_ISOLATION_TERMINAL_H_

#include <sys/types.h>

#include "absl/status/statusor.h"
#include "runtime/isolation/steps.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::isolation {

struct Terminal {
  UniqueFd master;
  UniqueFd slave;
};

// Outside: a new terminal in the devpts of a container, through its root. The multiplexer is
// checked to be one; the other end is opened through it and not by a path (TIOCGPTPEER), which a
// container could have replaced (CVE-2016-9962 and its kin).
absl::StatusOr<Terminal> OpenTerminal(int root);

// What the child's 0, 1 and 2 become; borrowed.
struct StreamSlice {
  int streams[3] = {-1, -1, -1};
  int terminal = -1;  // The other end; then `streams` is not used.
  bool console = false;
  uid_t owner = 0;
};

// Inside: a session of its own, with the terminal, unless -1, as its controlling one.
Outcome EnterSessionInside(int terminal);

// Inside: /dev/console is the terminal; bound by descriptor, the place checked to be no link
// (CVE-2025-52565).
Outcome MountConsoleInside(const StreamSlice& slice);

// Inside: 0, 1, 2. Pipes are given to the user, so that it can open /dev/stderr anew.
Outcome SetStreamsInside(const StreamSlice& slice);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_TERMINAL_H_
