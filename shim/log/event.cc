#include "shim/log/event.h"

#include <algorithm>

namespace bulkhead {
namespace {

bool IsPlain(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte > 0x20 && byte != 0x7f && c != '"' && c != '\\' && c != '=';
}

void AppendEscaped(char c, std::string& text) {
  constexpr char kHex[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  if (c == '"' || c == '\\') {
    text.append({'\\', c});
  } else if (c == '\n') {
    text += "\\n";
  } else if (byte < 0x20 || byte == 0x7f) {
    text.append({'\\', 'x', kHex[byte >> 4], kHex[byte & 15]});
  } else {
    text += c;
  }
}

}  // namespace

Event&& Event::With(std::string_view key, std::string_view value) && {
  line_.append(" ").append(key).append("=");
  if (!value.empty() && std::all_of(value.begin(), value.end(), IsPlain)) {
    line_ += value;
    return std::move(*this);
  }
  line_ += '"';
  for (const char c : value) AppendEscaped(c, line_);
  line_ += '"';
  return std::move(*this);
}

Event&& Event::With(std::string_view key, const absl::Status& status) && {
  return std::move(*this).With(key, std::string_view(status.ToString()));
}

// Milliseconds with three digits: what a call takes is read in them.
Event&& Event::With(std::string_view key, std::chrono::nanoseconds duration) && {
  const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
  const std::string digits = std::to_string(microseconds % 1000);
  return std::move(*this).With(
      key,
      std::string_view(std::to_string(microseconds / 1000) + "." +
                       std::string(3 - std::min<size_t>(digits.size(), 3), '0') + digits + "ms"));
}

std::ostream& operator<<(std::ostream& stream, const Event& event) {
  return stream << event.line();
}

}  // namespace bulkhead
