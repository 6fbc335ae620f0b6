#ifndef BULKHEAD_SHIM_NETWORK_DIRECTORY_WATCH_H_
#define BULKHEAD_SHIM_NETWORK_DIRECTORY_WATCH_H_

#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::network {

// Tells by inotify(7) when the content of directories may have changed. A directory that does not
// exist is awaited by watching its nearest existing parent. Not thread safe.
class DirectoryWatch {
 public:
  // `dirs` are absolute paths. Nothing is watched before Renew.
  static absl::StatusOr<DirectoryWatch> Create(std::vector<std::string> dirs);

  // Readable when something happened.
  int fd() const { return inotify_.get(); }
  // Forgets what happened so far; a level, not a count, so nothing is told of what it was.
  void Discard();
  // Puts the watches where they belong now. To be called after every event, before the
  // directories are read.
  absl::Status Renew();

 private:
  DirectoryWatch(std::vector<std::string> dirs, UniqueFd inotify)
      : dirs_(std::move(dirs)), inotify_(std::move(inotify)) {}
  absl::StatusOr<int> Watch(const std::string& dir);

  std::vector<std::string> dirs_;
  UniqueFd inotify_;
  std::set<int> watches_;
};

}  // namespace bulkhead::network

#endif  // BULKHEAD_SHIM_NETWORK_DIRECTORY_WATCH_H_
