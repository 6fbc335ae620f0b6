// Small files of the pods: whole reads and writes, with the path in every error.
#ifndef BULKHEAD_SHIM_PODS_FILES_H_
#define BULKHEAD_SHIM_PODS_FILES_H_

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bulkhead::pods {

// Makes or truncates the file.
absl::Status WriteFile(const std::string& path, const std::string& content, mode_t mode);

// Writes beside `path` and renames, so that a reader sees the old content or the new, whole. Not
// flushed: the file is for surviving a process, not a power loss.
absl::Status ReplaceFile(const std::string& path, const std::string& content, mode_t mode);

// NOT_FOUND when there is none. RESOURCE_EXHAUSTED for a file of more than `limit` bytes.
absl::StatusOr<std::string> ReadFile(const std::string& path, size_t limit);

// Makes one directory. OK when it is there.
absl::Status MakeDirectory(const std::string& path, mode_t mode);
// Makes the missing parents too, with the same mode.
absl::Status MakeDirectories(const std::string& path, mode_t mode);

// Removes a file or a whole tree, following no symbolic link. OK when it is not there.
absl::Status RemoveTree(const std::string& path);

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_FILES_H_
