// The client's side of an attached process, for tests.
#ifndef BULKHEAD_TESTS_KERNEL_PODS_STREAM_CLIENT_H_
#define BULKHEAD_TESTS_KERNEL_PODS_STREAM_CLIENT_H_

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "shim/pods/attached_process.h"

namespace bulkhead::pods {

inline constexpr std::chrono::milliseconds kPatience{20000};

// Reads until the stream's end (EIO of a terminal counts as one); what was read when patience ran
// out, with a note.
std::string ReadToEnd(int fd);
// Reads until `text` has come.
std::string ReadUntil(int fd, std::string_view text);
// Writes all, waiting for room.
bool WriteAll(int fd, std::string_view text);
// Whether the descriptor becomes readable.
bool AwaitReadable(int fd, std::chrono::milliseconds patience = kPatience);
// The exit code, once the process has ended; -1 when it does not, or the code is not known.
int AwaitCode(AttachedProcess& process);

}  // namespace bulkhead::pods

#endif  // BULKHEAD_TESTS_KERNEL_PODS_STREAM_CLIENT_H_
