#ifndef BULKHEAD_RUNTIME_SUPERVISOR_LOG_FORMAT_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_LOG_FORMAT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "runtime/supervisor/page_memory.h"

namespace bulkhead::supervisor {

// Bytes of a line after which it is split.
inline constexpr size_t kMaxLogLine = 16 * 1024;

// RFC 3339 in UTC with nanoseconds, always 30 characters.
std::array<char, 30> FormatTimestamp(int64_t nanoseconds_since_epoch);

// Whole log records, ready to be written.
class LogBuffer {
 public:
  static constexpr size_t kCapacity = 128 * 1024;

  std::string_view content() const { return {data_.data(), size_}; }
  bool empty() const { return size_ == 0; }
  size_t room() const { return kCapacity - size_; }
  void Append(std::string_view bytes);
  void Clear() { size_ = 0; }
  // Clears it and gives its memory back until it is used again.
  void Release();

 private:
  PageMemory data_{kCapacity};
  size_t size_ = 0;
};

// Turns one stream's bytes into records of the CRI's log format, which the kubelet reads
// (k8s.io/cri-client, pkg/logs: parseCRILog):
//
//   2026-11-23T07:00:00.000000000Z stdout F a line\n
//
// A line longer than kMaxLogLine becomes records tagged P and a last one tagged F. Bytes are not
// interpreted but for the newline. Joined again, the payloads are the stream, byte for byte.
class LogFormatter {
 public:
  // `stream` is "stdout" or "stderr".
  explicit LogFormatter(std::string_view stream, std::string partial = "");

  // Appends the records that `chunk` completes and keeps the rest of it. Returns how many bytes
  // were taken: less than all of them when the buffer has no room left.
  size_t Append(std::string_view chunk, std::string_view timestamp, LogBuffer& out);
  // The stream ended: what was kept becomes a record tagged P, as no newline ended it. False:
  // no room.
  bool Finish(std::string_view timestamp, LogBuffer& out);

  // What was kept of an unfinished line.
  const std::string& partial() const { return partial_; }

  // Bytes of a record before its payload: timestamp, stream, tag and the spaces after them.
  static constexpr size_t kHeaderSize = 30 + 1 + 6 + 3;
  // The room that any record fits into.
  static constexpr size_t kMaxRecord = kHeaderSize + kMaxLogLine + 1;

 private:
  void Emit(std::string_view timestamp, std::string_view tag, std::string_view rest,
            LogBuffer& out);

  std::string name_;  // " stdout "
  std::string partial_;
};

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_LOG_FORMAT_H_
