#ifndef BULKHEAD_TESTS_CONFORMANCE_CLIENT_LOG_LINES_H_
#define BULKHEAD_TESTS_CONFORMANCE_CLIENT_LOG_LINES_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace bulkhead::client {

// One line of a container log in the CRI's format: "<RFC 3339 time> <stream> <tag> <content>\n".
struct LogLine {
  std::string time;
  std::string stream;  // stdout or stderr.
  bool partial = false;
  std::string content;

  bool operator==(const LogLine&) const = default;
};

// INVALID_ARGUMENT, with the line, for anything that is not in the format. An unfinished last
// line is not.
absl::StatusOr<std::vector<LogLine>> ParseLog(std::string_view text);

// What was written to `stream`, byte for byte, but that a last line that was ended by the end of
// the stream cannot be told from one with a line feed: F gives a line feed always.
std::string StreamOf(const std::vector<LogLine>& lines, std::string_view stream);

}  // namespace bulkhead::client

#endif  // BULKHEAD_TESTS_CONFORMANCE_CLIENT_LOG_LINES_H_
