#ifndef BULKHEAD_SHIM_PODS_CAPTURED_OUTPUT_H_
#define BULKHEAD_SHIM_PODS_CAPTURED_OUTPUT_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"

namespace bulkhead::pods {

// The output of a command, standard output and error within one limit, because both travel in one
// message. What is over is thrown away, counted and said at the end of its stream.
class CapturedOutput {
 public:
  enum class Stream { kOut, kErr };
  // The kubelet takes messages of 16 MiB; the rest of the message needs little.
  static constexpr size_t kLimit = (size_t{16} << 20) - (size_t{64} << 10);

  explicit CapturedOutput(size_t limit = kLimit) : left_(limit) {}

  void Append(Stream stream, std::string_view data) {
    Kept& kept = StreamOf(stream);
    const size_t count = std::min(left_, data.size());
    kept.text.append(data.substr(0, count));
    kept.lost += data.size() - count;
    left_ -= count;
  }

  // Ends the stream: what was kept, and a line that says how much was not.
  std::string Take(Stream stream) {
    Kept& kept = StreamOf(stream);
    if (kept.lost > 0) {
      absl::StrAppend(&kept.text, "\n[output cut: ", kept.lost, " more bytes were written]\n");
    }
    return std::move(kept.text);
  }

 private:
  struct Kept {
    std::string text;
    uint64_t lost = 0;
  };
  Kept& StreamOf(Stream stream) { return streams_[stream == Stream::kOut ? 0 : 1]; }

  size_t left_;
  std::array<Kept, 2> streams_;
};

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_CAPTURED_OUTPUT_H_
