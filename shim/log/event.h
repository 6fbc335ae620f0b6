#ifndef BULKHEAD_SHIM_LOG_EVENT_H_
#define BULKHEAD_SHIM_LOG_EVENT_H_

#include <chrono>
#include <concepts>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"

namespace bulkhead {

// One event for the log, on one line: what happened and key=value pairs. Values are quoted, with
// escapes, where a reader or a program could not tell their end otherwise, so that nothing a
// client sends can forge a line.
//
//   LOG(INFO) << Event("container started").With("pod", name).With("duration", elapsed);
//
// Never give it a secret: registry credentials, environment values.
class Event {
 public:
  explicit Event(std::string what) : line_(std::move(what)) {}

  Event&& With(std::string_view key, std::string_view value) &&;
  Event&& With(std::string_view key, const absl::Status& status) &&;
  Event&& With(std::string_view key, std::chrono::nanoseconds duration) &&;
  template <std::integral Number>
  Event&& With(std::string_view key, Number number) && {
    return std::move(*this).With(key, std::string_view(std::to_string(number)));
  }

  const std::string& line() const { return line_; }

 private:
  std::string line_;
};

std::ostream& operator<<(std::ostream& stream, const Event& event);

}  // namespace bulkhead

#endif  // BULKHEAD_SHIM_LOG_EVENT_H_
