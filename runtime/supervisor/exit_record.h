#ifndef BULKHEAD_RUNTIME_SUPERVISOR_EXIT_RECORD_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_EXIT_RECORD_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/supervisor.pb.h"

namespace bulkhead::supervisor {

// Bytes to allocate for an exit record's file (posix_fallocate(3)), so that a full file system
// cannot lose the record.
inline constexpr int64_t kExitRecordSize = 128;

// The content of an exit record's file: its length, 32 bits little endian, then the message.
std::string EncodeExitRecord(const ExitRecord& record);
// Of a file's content. NOT_FOUND: none was written yet. DATA_LOSS: not a record.
absl::StatusOr<ExitRecord> DecodeExitRecord(std::string_view content);

// Writes the record to the file's beginning, in one call.
absl::Status WriteExitRecord(int fd, const ExitRecord& record);
// Reads a record's file. Errors as DecodeExitRecord, and of open(2) and read(2).
absl::StatusOr<ExitRecord> ReadExitRecord(const std::string& path);

// How often the kernel's OOM killer struck, by the content of memory.events (cgroup v2) or
// memory.oom_control (v1; since Linux 4.13). 0 when it does not say.
uint64_t ParseOomKills(std::string_view content);
// The same of a descriptor of that file. Nothing when it cannot be read, as with a cgroup that was
// removed (ENODEV).
std::optional<uint64_t> ReadOomKills(int fd);

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_EXIT_RECORD_H_
