// passwd(5) and group(5), as far as a container's own files are read.
#ifndef BULKHEAD_RUNTIME_ISOLATION_PASSWD_H_
#define BULKHEAD_RUNTIME_ISOLATION_PASSWD_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bulkhead::isolation {

// The highest id; 2^32 - 1 means "none" to the kernel.
inline constexpr uint32_t kMaxId = UINT32_MAX - 1;

struct PasswdEntry {
  std::string name;
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::string home;
};

// Decimal, without sign, up to kMaxId (CVE-2024-40635).
std::optional<uint32_t> ParseId(std::string_view text);

// The first entry that fits; malformed lines are passed over, as libc does.
std::optional<PasswdEntry> FindUserByName(std::string_view passwd, std::string_view name);
std::optional<PasswdEntry> FindUserById(std::string_view passwd, uint32_t uid);
std::optional<uint32_t> FindGroup(std::string_view group, std::string_view name);
std::vector<uint32_t> GroupsOfMember(std::string_view group, std::string_view user);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_PASSWD_H_
