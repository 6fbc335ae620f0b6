#include "runtime/isolation/mount_report.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/path.h"

namespace bulkhead::isolation {
namespace {

// Blanks and backslashes are "\\" and three octal digits (proc_pid_mountinfo(5)).
std::string Unescaped(absl::string_view text) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    int value = 0;
    bool escape = text[i] == '\\' && i + 3 < text.size();
    for (size_t digit = 1; escape && digit <= 3; ++digit) {
      escape = text[i + digit] >= '0' && text[i + digit] <= '7';
      value = value * 8 + (text[i + digit] - '0');
    }
    result.push_back(escape ? static_cast<char>(value) : text[i]);
    if (escape) i += 3;
  }
  return result;
}

bool Has(const std::vector<MountReport>& mounts, uint64_t id) {
  return std::ranges::any_of(mounts, [&](const MountReport& mount) { return mount.id == id; });
}

}  // namespace

std::vector<MountReport> ParseMounts(std::string_view mountinfo) {
  std::vector<MountReport> mounts;
  const absl::string_view text(mountinfo.data(), mountinfo.size());
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
    MountReport mount;
    std::vector<absl::string_view> propagation;
    size_t i = 6;  // The optional fields begin here and end with "-".
    for (; i < words.size() && words[i] != "-"; ++i) propagation.push_back(words[i]);
    if (words.size() < i + 2 || !absl::SimpleAtoi(words[0], &mount.id) ||
        !absl::SimpleAtoi(words[1], &mount.parent)) {
      continue;
    }
    mount.root = Unescaped(words[3]);
    mount.destination = Unescaped(words[4]);
    mount.options = std::string(words[5]);
    mount.type = std::string(words[i + 1]);
    mount.propagation = propagation.empty() ? "private" : absl::StrJoin(propagation, " ");
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

// As the kernel walks: from the mount at hand to the one below it that is met first.
const MountReport* FindMount(const std::vector<MountReport>& mounts, std::string_view path) {
  const auto next = [&](const MountReport* at) {
    const MountReport* first = nullptr;
    for (const MountReport& mount : mounts) {
      const bool below = at == nullptr ? mount.destination == "/" && !Has(mounts, mount.parent)
                                       : mount.parent == at->id && &mount != at;
      if (!below || !IsAtOrBelow(path, mount.destination)) continue;
      if (first == nullptr || mount.destination.size() < first->destination.size()) first = &mount;
    }
    return first;
  };
  const MountReport* at = nullptr;
  for (const MountReport* one = next(nullptr); one != nullptr; one = next(one)) at = one;
  return at != nullptr && at->destination == path ? at : nullptr;
}

std::map<std::string, Place> FindPlaces(int root, const std::vector<std::string>& paths) {
  std::map<std::string, Place> places;
  for (const std::string& path : paths) {
    const int opened = OpenInRoot(root, path.c_str(), O_PATH);
    const UniqueFd place(opened < 0 ? -1 : opened);
    struct statx status {};
    // A file system that is a program's of the container is asked for nothing.
    constexpr int kFlags = AT_EMPTY_PATH | AT_STATX_DONT_SYNC;
    if (!place.valid() && (opened == -ENOENT || opened == -ENOTDIR)) continue;
    if (!place.valid() || statx(place.get(), "", kFlags, STATX_MNT_ID, &status) != 0) {
      places[path] = {};
      continue;
    }
    places[path] = {.mount_id = status.stx_mnt_id,
                    .is_mount = (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0,
                    .device = makedev(status.stx_dev_major, status.stx_dev_minor),
                    .inode = status.stx_ino};
  }
  return places;
}

}  // namespace bulkhead::isolation
