// Users and groups, read from the container's own files.
#ifndef BULKHEAD_RUNTIME_ISOLATION_RESOLVE_H_
#define BULKHEAD_RUNTIME_ISOLATION_RESOLVE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/spec/image_config.h"
#include "runtime/spec/security.h"

namespace bulkhead::isolation {

struct ResolvedUser {
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::vector<uint32_t> groups;  // Sorted, without repeats; holds gid.
  std::string home = "/";

  bool operator==(const ResolvedUser&) const = default;
};

// What is asked: the security context wins over the image's user string.
struct UserRequest {
  std::string image_user;  // "", "name", "1000", "name:group", "1000:1000" …
  std::optional<int64_t> run_as_user;
  std::optional<int64_t> run_as_group;
  std::string run_as_username;
  std::vector<int64_t> supplemental_groups;
  spec::SupplementalGroupsPolicy policy = spec::SupplementalGroupsPolicy::kMerge;
};

UserRequest MakeUserRequest(const spec::SecurityContext& security, const spec::ImageConfig& image);

// Resolves against /etc/passwd and /etc/group below `root` (O_PATH), under RESOLVE_IN_ROOT: the
// files are the container's and may be hostile, so only regular files up to 16 MiB are read.
// INVALID_ARGUMENT naming the field: no such user or group, an id beyond 2^32 - 2
// (CVE-2024-40635), run_as_group without a user.
absl::StatusOr<ResolvedUser> ResolveUser(int root, const UserRequest& request);

// The same from the files' contents; a pure function.
absl::StatusOr<ResolvedUser> ResolveUserFrom(const std::string& passwd, const std::string& group,
                                             const UserRequest& request);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_RESOLVE_H_
