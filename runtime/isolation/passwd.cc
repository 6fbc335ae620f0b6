#include "runtime/isolation/passwd.h"

#include "absl/algorithm/container.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace bulkhead::isolation {
namespace {

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

// Calls `use` with the fields of each line until it returns true.
template <typename Use>
void ForEachLine(std::string_view text, size_t fields_at_least, Use use) {
  for (absl::string_view line : absl::StrSplit(View(text), '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, ':');
    if (fields.size() >= fields_at_least && !fields[0].empty() && use(fields)) return;
  }
}

std::optional<PasswdEntry> ParseUser(const std::vector<absl::string_view>& fields) {
  const std::optional<uint32_t> uid = ParseId({fields[2].data(), fields[2].size()});
  const std::optional<uint32_t> gid = ParseId({fields[3].data(), fields[3].size()});
  if (!uid.has_value() || !gid.has_value()) return std::nullopt;
  return PasswdEntry{std::string(fields[0]), *uid, *gid, std::string(fields[5])};
}

template <typename Fits>
std::optional<PasswdEntry> FindUser(std::string_view passwd, Fits fits) {
  std::optional<PasswdEntry> found;
  ForEachLine(passwd, 6, [&](const std::vector<absl::string_view>& fields) {
    std::optional<PasswdEntry> entry = ParseUser(fields);
    if (!entry.has_value() || !fits(*entry)) return false;
    found = std::move(entry);
    return true;
  });
  return found;
}

}  // namespace

std::optional<uint32_t> ParseId(std::string_view text) {
  uint64_t id = 0;
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) {
    return std::nullopt;
  }
  if (!absl::SimpleAtoi(View(text), &id) || id > kMaxId) return std::nullopt;
  return static_cast<uint32_t>(id);
}

std::optional<PasswdEntry> FindUserByName(std::string_view passwd, std::string_view name) {
  return FindUser(passwd, [&](const PasswdEntry& entry) { return entry.name == name; });
}

std::optional<PasswdEntry> FindUserById(std::string_view passwd, uint32_t uid) {
  return FindUser(passwd, [&](const PasswdEntry& entry) { return entry.uid == uid; });
}

std::optional<uint32_t> FindGroup(std::string_view group, std::string_view name) {
  std::optional<uint32_t> found;
  ForEachLine(group, 3, [&](const std::vector<absl::string_view>& fields) {
    if (fields[0] != View(name)) return false;
    found = ParseId({fields[2].data(), fields[2].size()});
    return found.has_value();
  });
  return found;
}

std::vector<uint32_t> GroupsOfMember(std::string_view group, std::string_view user) {
  std::vector<uint32_t> groups;
  ForEachLine(group, 4, [&](const std::vector<absl::string_view>& fields) {
    const std::vector<absl::string_view> members = absl::StrSplit(fields[3], ',');
    const std::optional<uint32_t> gid = ParseId({fields[2].data(), fields[2].size()});
    if (gid.has_value() && absl::c_linear_search(members, View(user))) groups.push_back(*gid);
    return false;
  });
  return groups;
}

}  // namespace bulkhead::isolation
