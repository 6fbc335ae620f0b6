#include "shim/network/directory_watch.h"

#include <errno.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"

namespace bulkhead::network {
namespace {

constexpr uint32_t kEvents = IN_CREATE | IN_CLOSE_WRITE | IN_ATTRIB | IN_DELETE | IN_MOVED_FROM |
                             IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

std::string NearestExisting(const std::string& dir) {
  std::filesystem::path path = std::filesystem::path(dir).lexically_normal();
  std::error_code ignored;
  while (!std::filesystem::is_directory(path, ignored) && path.has_relative_path()) {
    path = path.parent_path();
  }
  return path;
}

}  // namespace

absl::StatusOr<DirectoryWatch> DirectoryWatch::Create(std::vector<std::string> dirs) {
  UniqueFd inotify(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  if (!inotify.valid()) return ErrnoStatus(errno, "inotify_init1");
  return DirectoryWatch(std::move(dirs), std::move(inotify));
}

void DirectoryWatch::Discard() {
  alignas(inotify_event) std::array<char, 4096> events;
  while (read(inotify_.get(), events.data(), events.size()) > 0) {
  }
}

absl::Status DirectoryWatch::Renew() {
  std::set<int> renewed;
  for (const std::string& dir : dirs_) {
    const absl::StatusOr<int> watch = Watch(dir);
    if (!watch.ok()) return watch.status();
    renewed.insert(*watch);
    watches_.insert(*watch);
  }
  for (const int watch : watches_) {
    // Fails for a watch that went away with its directory, which is what is wanted.
    if (renewed.count(watch) == 0) inotify_rm_watch(inotify_.get(), watch);
  }
  watches_ = std::move(renewed);
  return absl::OkStatus();
}

absl::StatusOr<int> DirectoryWatch::Watch(const std::string& dir) {
  for (;;) {
    const std::string nearest = NearestExisting(dir);
    const int watch = inotify_add_watch(inotify_.get(), nearest.c_str(), kEvents);
    if (watch < 0 && errno != ENOENT && errno != ENOTDIR) {
      return ErrnoStatus(errno, absl::StrCat("watch directory ", nearest));
    }
    // A child that appeared before the watch stood, or a parent that went away: once more.
    if (watch >= 0 && NearestExisting(dir) == nearest) return watch;
  }
}

}  // namespace bulkhead::network
