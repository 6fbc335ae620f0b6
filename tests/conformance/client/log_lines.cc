#include "tests/conformance/client/log_lines.h"

#include <regex>

namespace bulkhead::client {
namespace {

absl::StatusOr<LogLine> ParseLine(std::string_view text) {
  static const std::regex kHead(
      R"((\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(?:Z|[+-]\d\d:\d\d)) (stdout|stderr) ([PF]) )");
  std::match_results<std::string_view::const_iterator> match;
  if (!std::regex_search(text.begin(), text.end(), match, kHead,
                         std::regex_constants::match_continuous)) {
    return absl::InvalidArgumentError("no CRI log line: " + std::string(text.substr(0, 120)));
  }
  return LogLine{.time = match[1],
                 .stream = match[2],
                 .partial = match[3] == "P",
                 .content = std::string(text.substr(match.length()))};
}

}  // namespace

absl::StatusOr<std::vector<LogLine>> ParseLog(std::string_view text) {
  std::vector<LogLine> lines;
  while (!text.empty()) {
    size_t end = text.find('\n');
    if (end == std::string_view::npos) {
      return absl::InvalidArgumentError("unfinished line: " + std::string(text.substr(0, 120)));
    }
    auto line = ParseLine(text.substr(0, end));
    if (!line.ok()) return line.status();
    lines.push_back(*std::move(line));
    text.remove_prefix(end + 1);
  }
  return lines;
}

std::string StreamOf(const std::vector<LogLine>& lines, std::string_view stream) {
  std::string bytes;
  for (const LogLine& line : lines) {
    if (line.stream != stream) continue;
    bytes += line.content;
    if (!line.partial) bytes += '\n';
  }
  return bytes;
}

}  // namespace bulkhead::client
