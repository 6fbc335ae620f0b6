#include "runtime/isolation/resolve.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "runtime/isolation/passwd.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/file.h"
#include "runtime/kernel/path.h"
#include "runtime/kernel/status.h"

namespace bulkhead::isolation {
namespace {

constexpr size_t kFileLimit = 16 << 20;
constexpr size_t kMaxGroups = 65536;  // NGROUPS_MAX.

absl::Status CheckRegular(int fd, const char* path) {
  struct stat st;
  if (fstat(fd, &st) != 0) return ErrnoStatus(errno, path);
  if (S_ISREG(st.st_mode)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("the container's ", path, " is no regular file"));
}

// A file of the container; empty when it does not exist. Looked at before it is opened for
// reading: a FIFO would block, a device could do anything.
absl::StatusOr<std::string> ReadInRoot(int root, const char* path) {
  const int found = OpenInRoot(root, path, O_PATH);
  if (found == -ENOENT || found == -ENOTDIR) return std::string();
  if (found < 0) return ErrnoStatus(-found, absl::StrCat("the container's ", path));
  const UniqueFd place(found);
  if (absl::Status status = CheckRegular(place.get(), path); !status.ok()) return status;
  const int opened = OpenInRoot(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (opened < 0) return ErrnoStatus(-opened, absl::StrCat("the container's ", path));
  const UniqueFd file(opened);
  if (absl::Status status = CheckRegular(file.get(), path); !status.ok()) return status;
  absl::StatusOr<std::string> content = ReadAll(file.get(), kFileLimit);
  if (!content.ok()) return Annotate(content.status(), absl::StrCat("the container's ", path));
  return content;
}

absl::StatusOr<uint32_t> CheckId(int64_t id, absl::string_view field) {
  if (id < 0 || id > kMaxId) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, ": ", id, " is not within 0 and ", kMaxId));
  }
  return static_cast<uint32_t>(id);
}

bool LooksLikeId(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

// The parts of "user[:group]" with their field, for errors.
struct UserText {
  std::string field;
  std::string user;
  std::string group;
};

absl::StatusOr<UserText> ChooseUser(const UserRequest& request) {
  UserText text;
  if (request.run_as_user.has_value()) {
    absl::StatusOr<uint32_t> uid = CheckId(*request.run_as_user, "run_as_user");
    if (!uid.ok()) return uid.status();
    text = {"run_as_user", absl::StrCat(*uid), ""};
  } else if (!request.run_as_username.empty()) {
    text = {"run_as_username", request.run_as_username, ""};
  } else if (request.run_as_group.has_value()) {
    return absl::InvalidArgumentError("run_as_group: set without run_as_user or run_as_username");
  } else {
    const std::pair<std::string, std::string> parts =
        absl::StrSplit(request.image_user, absl::MaxSplits(':', 1));
    return UserText{"the image's user", parts.first, parts.second};
  }
  if (!request.run_as_group.has_value()) return text;
  absl::StatusOr<uint32_t> gid = CheckId(*request.run_as_group, "run_as_group");
  if (!gid.ok()) return gid.status();
  text.group = absl::StrCat(*gid);
  return text;
}

absl::Status NoSuch(const UserText& text, absl::string_view what, const std::string& name) {
  return absl::InvalidArgumentError(
      absl::StrCat(text.field, ": no ", what, " \"", name, "\" in the container's files"));
}

absl::StatusOr<PasswdEntry> FindUser(const std::string& passwd, const UserText& text) {
  const std::string user = text.user.empty() ? "0" : text.user;
  if (!LooksLikeId(user)) {
    const std::optional<PasswdEntry> entry = FindUserByName(passwd, user);
    if (!entry.has_value()) return NoSuch(text, "user", user);
    return *entry;
  }
  const std::optional<uint32_t> uid = ParseId(user);
  if (!uid.has_value()) return NoSuch(text, "valid user id", user);
  const std::optional<PasswdEntry> entry = FindUserById(passwd, *uid);
  // A number needs no entry; its group is then the superuser's, as with the peers.
  if (!entry.has_value()) return PasswdEntry{.name = "", .uid = *uid};
  return *entry;
}

absl::StatusOr<uint32_t> FindGid(const std::string& group, const UserText& text, uint32_t primary) {
  if (text.group.empty()) return primary;
  if (LooksLikeId(text.group)) {
    const std::optional<uint32_t> gid = ParseId(text.group);
    if (!gid.has_value()) return NoSuch(text, "valid group id", text.group);
    return *gid;
  }
  const std::optional<uint32_t> gid = FindGroup(group, text.group);
  if (!gid.has_value()) return NoSuch(text, "group", text.group);
  return *gid;
}

absl::StatusOr<std::vector<uint32_t>> CollectGroups(const std::string& group,
                                                    const UserRequest& request,
                                                    const std::string& name, uint32_t gid) {
  std::vector<uint32_t> groups = {gid};
  if (request.policy == spec::SupplementalGroupsPolicy::kMerge && !name.empty()) {
    for (const uint32_t member_of : GroupsOfMember(group, name)) groups.push_back(member_of);
  }
  for (size_t i = 0; i < request.supplemental_groups.size(); ++i) {
    absl::StatusOr<uint32_t> id =
        CheckId(request.supplemental_groups[i], absl::StrCat("supplemental_groups[", i, "]"));
    if (!id.ok()) return id.status();
    groups.push_back(*id);
  }
  std::sort(groups.begin(), groups.end());
  groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
  if (groups.size() > kMaxGroups) {
    return absl::InvalidArgumentError(
        absl::StrCat("supplemental_groups: ", groups.size(), ", more than ", kMaxGroups));
  }
  return groups;
}

}  // namespace

UserRequest MakeUserRequest(const spec::SecurityContext& security, const spec::ImageConfig& image) {
  return {.image_user = image.user,
          .run_as_user = security.run_as_user,
          .run_as_group = security.run_as_group,
          .run_as_username = security.run_as_username,
          .supplemental_groups = security.supplemental_groups,
          .policy = security.supplemental_groups_policy};
}

absl::StatusOr<ResolvedUser> ResolveUser(int root, const UserRequest& request) {
  absl::StatusOr<std::string> passwd = ReadInRoot(root, "/etc/passwd");
  if (!passwd.ok()) return passwd.status();
  absl::StatusOr<std::string> group = ReadInRoot(root, "/etc/group");
  if (!group.ok()) return group.status();
  return ResolveUserFrom(*passwd, *group, request);
}

absl::StatusOr<ResolvedUser> ResolveUserFrom(const std::string& passwd, const std::string& group,
                                             const UserRequest& request) {
  absl::StatusOr<UserText> text = ChooseUser(request);
  if (!text.ok()) return text.status();
  absl::StatusOr<PasswdEntry> user = FindUser(passwd, *text);
  if (!user.ok()) return user.status();
  absl::StatusOr<uint32_t> gid = FindGid(group, *text, user->gid);
  if (!gid.ok()) return gid.status();
  absl::StatusOr<std::vector<uint32_t>> groups = CollectGroups(group, request, user->name, *gid);
  if (!groups.ok()) return groups.status();
  return ResolvedUser{.uid = user->uid,
                      .gid = *gid,
                      .groups = *std::move(groups),
                      .home = user->home.empty() ? "/" : user->home};
}

}  // namespace bulkhead::isolation
