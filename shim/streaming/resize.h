#ifndef BULKHEAD_SHIM_STREAMING_RESIZE_H_
#define BULKHEAD_SHIM_STREAMING_RESIZE_H_

#include <optional>
#include <string>
#include <string_view>

#include "shim/pods/attached_process.h"

namespace bulkhead::streaming {

// Reads the sizes of a terminal from a stream of JSON objects, {"Width":80,"Height":24}, which
// may come in pieces or several at once.
class ResizeReader {
 public:
  // The last size of those that `bytes` completes. Nothing more after one that is malformed.
  std::optional<pods::TerminalSize> Read(std::string_view bytes);

 private:
  std::string object_;  // Begun.
  bool failed_ = false;
};

}  // namespace bulkhead::streaming

#endif  // BULKHEAD_SHIM_STREAMING_RESIZE_H_
