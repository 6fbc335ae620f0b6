#include "runtime/supervisor/exit_record.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/status.h"

namespace bulkhead::supervisor {
namespace {

constexpr size_t kLengthSize = 4;

}  // namespace

std::string EncodeExitRecord(const ExitRecord& record) {
  const std::string message = record.SerializeAsString();
  std::string content;
  for (size_t i = 0; i < kLengthSize; ++i) {
    content.push_back(static_cast<char>(message.size() >> (8 * i) & 0xff));
  }
  return content + message;
}

absl::StatusOr<ExitRecord> DecodeExitRecord(std::string_view content) {
  if (content.size() < kLengthSize) return absl::NotFoundError("no exit record was written");
  uint32_t length = 0;
  for (size_t i = 0; i < kLengthSize; ++i) {
    length |= static_cast<uint32_t>(static_cast<unsigned char>(content[i])) << (8 * i);
  }
  if (length == 0) return absl::NotFoundError("no exit record was written");
  ExitRecord record;
  if (content.size() - kLengthSize < length ||
      !record.ParseFromArray(content.data() + kLengthSize, static_cast<int>(length))) {
    return absl::DataLossError("not an exit record");
  }
  return record;
}

absl::Status WriteExitRecord(int fd, const ExitRecord& record) {
  const std::string content = EncodeExitRecord(record);
  const ssize_t n = pwrite(fd, content.data(), content.size(), 0);
  if (n < 0) return ErrnoStatus(errno, "write the exit record");
  if (static_cast<size_t>(n) < content.size()) {
    return ErrnoStatus(ENOSPC, "write the exit record");
  }
  return absl::OkStatus();
}

absl::StatusOr<ExitRecord> ReadExitRecord(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoStatus(errno, absl::StrCat("open ", path));
  std::array<char, 1024> content;
  const ssize_t n = pread(fd.get(), content.data(), content.size(), 0);
  if (n < 0) return ErrnoStatus(errno, absl::StrCat("read ", path));
  absl::StatusOr<ExitRecord> record = DecodeExitRecord({content.data(), static_cast<size_t>(n)});
  if (!record.ok()) return Annotate(record.status(), path);
  return record;
}

uint64_t ParseOomKills(std::string_view content) {
  constexpr std::string_view kKey = "oom_kill ";
  while (!content.empty()) {
    const std::string_view line = content.substr(0, content.find('\n'));
    content.remove_prefix(std::min(content.size(), line.size() + 1));
    if (!line.starts_with(kKey)) continue;
    uint64_t count = 0;
    std::from_chars(line.data() + kKey.size(), line.data() + line.size(), count);
    return count;
  }
  return 0;
}

std::optional<uint64_t> ReadOomKills(int fd) {
  std::array<char, 1024> content;
  const ssize_t n = fd < 0 ? -1 : pread(fd, content.data(), content.size(), 0);
  if (n < 0) return std::nullopt;
  return ParseOomKills({content.data(), static_cast<size_t>(n)});
}

}  // namespace bulkhead::supervisor
