#include "runtime/supervisor/log_format.h"

#include <algorithm>
#include <chrono>
#include <cstring>

namespace bulkhead::supervisor {
namespace {

// Writes `value` with leading zeros over `width` characters.
void PutNumber(char* at, int width, uint64_t value) {
  for (int i = width - 1; i >= 0; --i, value /= 10) at[i] = '0' + value % 10;
}

}  // namespace

std::array<char, 30> FormatTimestamp(int64_t nanoseconds_since_epoch) {
  // Without libc's calendar, which would look for time zone files.
  using namespace std::chrono;  // NOLINT: calendar arithmetic reads badly otherwise
  const sys_time<nanoseconds> time{nanoseconds(nanoseconds_since_epoch)};
  const sys_days day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss<nanoseconds> clock(time - day);
  std::array<char, 30> text;
  memcpy(text.data(), "0000-00-00T00:00:00.000000000Z", text.size());
  PutNumber(&text[0], 4, static_cast<int>(date.year()));
  PutNumber(&text[5], 2, static_cast<unsigned>(date.month()));
  PutNumber(&text[8], 2, static_cast<unsigned>(date.day()));
  PutNumber(&text[11], 2, clock.hours().count());
  PutNumber(&text[14], 2, clock.minutes().count());
  PutNumber(&text[17], 2, clock.seconds().count());
  PutNumber(&text[20], 9, clock.subseconds().count());
  return text;
}

void LogBuffer::Append(std::string_view bytes) {
  bytes.copy(data_.data() + size_, bytes.size());
  size_ += bytes.size();
}

void LogBuffer::Release() {
  Clear();
  data_.Release();
}

LogFormatter::LogFormatter(std::string_view stream, std::string partial)
    : name_(" " + std::string(stream) + " "), partial_(std::move(partial)) {}

size_t LogFormatter::Append(std::string_view chunk, std::string_view timestamp, LogBuffer& out) {
  std::string_view rest = chunk;
  while (!rest.empty() && out.room() >= kMaxRecord) {
    const size_t newline = rest.find('\n');
    const bool complete = newline != std::string_view::npos;
    const size_t length = complete ? newline : rest.size();
    const size_t fits = kMaxLogLine - partial_.size();
    if (length > fits) {
      Emit(timestamp, "P ", rest.substr(0, fits), out);
      rest.remove_prefix(fits);
    } else if (complete) {
      Emit(timestamp, "F ", rest.substr(0, length), out);
      rest.remove_prefix(length + 1);
    } else {
      partial_.append(rest);
      rest = {};
    }
  }
  return chunk.size() - rest.size();
}

bool LogFormatter::Finish(std::string_view timestamp, LogBuffer& out) {
  if (partial_.empty()) return true;
  if (out.room() < kMaxRecord) return false;
  Emit(timestamp, "P ", {}, out);
  return true;
}

void LogFormatter::Emit(std::string_view timestamp, std::string_view tag, std::string_view rest,
                        LogBuffer& out) {
  out.Append(timestamp);
  out.Append(name_);
  out.Append(tag);
  if (!partial_.empty()) {
    out.Append(partial_);
    // Given back: most lines are short and a supervisor is idle most of the time.
    std::string().swap(partial_);
  }
  out.Append(rest);
  out.Append("\n");
}

}  // namespace bulkhead::supervisor
