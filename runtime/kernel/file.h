// Small files of the kernel and of containers, through descriptors.
#ifndef BULKHEAD_RUNTIME_KERNEL_FILE_H_
#define BULKHEAD_RUNTIME_KERNEL_FILE_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"

namespace bulkhead {

// All of an open file, from its position. RESOURCE_EXHAUSTED beyond `limit` bytes.
absl::StatusOr<std::string> ReadAll(int fd, size_t limit);

// All of the file `path`. The errors name it.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t limit = 16 << 20);

// One write(2) of `value` to an existing file below `directory`, as the kernel's control files
// want it. The errors name path and value.
absl::Status WriteControlFile(int directory, const std::string& path, std::string_view value);

// A procfs that nobody else mounted anything over: a detached instance of our own, checked to be
// one (CVE-2019-16884, CVE-2025-52881). In the PID namespace of the caller.
absl::StatusOr<UniqueFd> OpenOwnProcfs();

// 0 when the descriptor lies on procfs, else an errno: EXDEV on another file system.
// Async-signal-safe.
int VerifyProcfs(int fd);

}  // namespace bulkhead

#endif  // BULKHEAD_RUNTIME_KERNEL_FILE_H_
