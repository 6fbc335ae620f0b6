#ifndef BULKHEAD_SHIM_NETWORK_CHILD_PROCESS_H_
#define BULKHEAD_SHIM_NETWORK_CHILD_PROCESS_H_

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace bulkhead::network {

struct ChildProcess {
  std::string program;                   // Absolute path.
  std::string name;                      // Its argv[0]; empty: the path.
  std::vector<std::string> arguments;    // Behind its name.
  std::vector<std::string> environment;  // NAME=value; nothing is inherited.
  std::string input;                     // What it reads from standard input.
  std::chrono::milliseconds timeout{60000};
  size_t output_limit = 1 << 20;  // Bytes of standard output; a child that writes more is killed.
  size_t error_limit = 16 << 10;  // Bytes of standard error that are kept; the rest is dropped.
  int cancel_fd = -1;             // Borrowed; readable means: give up. -1 for none.
};

struct ChildResult {
  bool exited = false;  // Ended by itself rather than by a signal.
  int code = 0;         // Its exit status, or the signal's number.
  std::string output;
  std::string error;
};

// Runs a program to its end, in a process group of its own that is killed when time is up
// (DEADLINE_EXCEEDED), on cancellation (CANCELLED) or on too much output (RESOURCE_EXHAUSTED). The
// child gets no descriptor but its three standard streams. A grandchild that keeps the output open
// does not hold the call. Installs no signal handler, so it is safe on any thread; nothing else in
// the process may reap children that it did not start.
absl::StatusOr<ChildResult> RunChild(const ChildProcess& child);

// "exit status 1" or "signal 9".
std::string HowItEnded(const ChildResult& result);
// The last 512 bytes of what it wrote, where programs that crash say why, on one line.
std::string LastWords(const std::string& text);

}  // namespace bulkhead::network

#endif  // BULKHEAD_SHIM_NETWORK_CHILD_PROCESS_H_
