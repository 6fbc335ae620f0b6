// Paths of a container's file system, which are hostile: resolved with openat2(2) below a root
// and used through descriptors.
#ifndef BULKHEAD_RUNTIME_KERNEL_PATH_H_
#define BULKHEAD_RUNTIME_KERNEL_PATH_H_

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"

namespace bulkhead {

// openat2(2); returns a descriptor or -errno. Async-signal-safe. `resolve` is RESOLVE_* bits.
int Openat2(int directory, const char* path, uint64_t flags, mode_t mode, uint64_t resolve);

// Opens `path` as a process whose root directory is `root` would: symbolic links and ".." stay
// below it, magic links are refused. Returns a close-on-exec descriptor or -errno.
// Async-signal-safe.
int OpenInRoot(int root, const char* path, uint64_t flags, mode_t mode = 0);

enum class PathKind { kDirectory, kFile };

// The O_PATH descriptor of `path` below `root`, links followed within it. What is missing is made:
// directories (0755), and at the end a directory or an empty file (0644). A dangling link is
// followed to where it points. No path is looked up twice by name with a link in it, so that a
// link put there meanwhile is an error and never a way out (CVE-2021-30465).
absl::StatusOr<UniqueFd> MakeInRoot(int root, const std::string& path, PathKind kind);

// The parent of `path` below `root`, made where missing, and the last component. A last component
// of "." or ".." or none is INVALID_ARGUMENT.
struct ParentAndName {
  UniqueFd parent;
  std::string name;
};
absl::StatusOr<ParentAndName> MakeParentInRoot(int root, const std::string& path);

// "/a//b/./c" as {"a", "b", "c"}; ".." is kept.
std::vector<std::string> SplitPath(const std::string& path);

// "/a//b/./c" as "/a/b/c"; ".." is kept.
std::string CleanPath(const std::string& path);

// Of absolute paths as CleanPath gives them, without links and "..".
bool IsAtOrBelow(std::string_view path, std::string_view parent);

}  // namespace bulkhead

#endif  // BULKHEAD_RUNTIME_KERNEL_PATH_H_
