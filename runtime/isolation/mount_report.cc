#include "runtime/isolation/mount_report.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/path.h"

namespace bulkhead::isolation {

std::vector<MountReport> ParseMounts(std::string_view mountinfo) {
  std::vector<MountReport> mounts;
  const absl::string_view text(mountinfo.data(), mountinfo.size());
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
    MountReport mount;
    std::vector<absl::string_view> propagation;
    size_t i = 6;  // The optional fields begin here and end with "-".
    for (; i < words.size() && words[i] != "-"; ++i) propagation.push_back(words[i]);
    if (words.size() < i + 2 || !absl::SimpleAtoi(words[0], &mount.id)) continue;
    mount.destination = std::string(words[4]);
    mount.options = std::string(words[5]);
    mount.type = std::string(words[i + 1]);
    mount.propagation = propagation.empty() ? "private" : absl::StrJoin(propagation, " ");
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

const MountReport* FindMount(const std::vector<MountReport>& mounts, std::string_view destination) {
  const MountReport* found = nullptr;
  for (const MountReport& mount : mounts) {
    if (mount.destination == destination) found = &mount;
  }
  return found;
}

std::map<std::string, Place> FindPlaces(int root, const std::vector<std::string>& paths) {
  std::map<std::string, Place> places;
  for (const std::string& path : paths) {
    const UniqueFd place(OpenInRoot(root, path.c_str(), O_PATH));
    struct statx status {};
    // A file system that is a program's of the container is asked for nothing.
    constexpr int kFlags = AT_EMPTY_PATH | AT_STATX_DONT_SYNC;
    if (!place.valid() || statx(place.get(), "", kFlags, STATX_MNT_ID, &status) != 0) continue;
    places[path] = {.mount_id = status.stx_mnt_id,
                    .is_mount = (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0};
  }
  return places;
}

}  // namespace bulkhead::isolation
