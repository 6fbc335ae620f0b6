#include "shim/pods/exit_record.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/status.h"
#include "shim/pods/files.h"

namespace bulkhead::pods {
namespace {

constexpr size_t kSize = 4096;
constexpr size_t kLengthBytes = 4;

// 32 bits, little endian (proto/supervisor.proto).
size_t LengthOf(const std::string& content) {
  size_t length = 0;
  for (size_t i = 0; i < kLengthBytes; ++i) {
    length |= static_cast<size_t>(static_cast<unsigned char>(content[i])) << (8 * i);
  }
  return length;
}

}  // namespace

absl::Status PreallocateExitRecord(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file.valid()) return ErrnoStatus(errno, "open " + path);
  const int error = posix_fallocate(file.get(), 0, kSize);
  return error == 0 ? absl::OkStatus() : ErrnoStatus(error, "reserve " + path);
}

absl::StatusOr<std::optional<supervisor::ExitRecord>> ReadExitRecord(const std::string& path) {
  const absl::StatusOr<std::string> content = ReadFile(path, 1 << 20);
  if (absl::IsNotFound(content.status())) return std::nullopt;
  if (!content.ok()) return content.status();
  const size_t length = content->size() < kLengthBytes ? 0 : LengthOf(*content);
  if (length == 0) return std::nullopt;
  supervisor::ExitRecord record;
  if (length > content->size() - kLengthBytes ||
      !record.ParseFromString(content->substr(kLengthBytes, length))) {
    return absl::DataLossError(absl::StrCat(path, ": not an exit record"));
  }
  return record;
}

}  // namespace bulkhead::pods
