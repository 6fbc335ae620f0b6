#ifndef BULKHEAD_SHIM_NETWORK_NETNS_H_
#define BULKHEAD_SHIM_NETWORK_NETNS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::network {

// A pod's network namespace, kept alive by a bind mount of its nsfs file ("the pin") as ip-netns(8)
// does, so that CNI DEL can enter it however the pod ended. The destructor takes the pin away
// again unless Keep was called, so that an error path between Create and Keep leaves nothing.
// Move-only; not for use by two threads at once.
class PinnedNetns {
 public:
  // Makes a network namespace with its loopback interface up and pins it at `dir`/`name`. A missing
  // `dir` is made, but unlike ip-netns(8) never mounted on itself: the pin is the only mount made.
  // The caller's own namespaces stay as they are. Errors: INVALID_ARGUMENT for a name that is no
  // file name, ALREADY_EXISTS when something is there, else the failed system call.
  // `existing` is a descriptor of a namespace that is there already and is pinned instead.
  static absl::StatusOr<PinnedNetns> Create(const std::string& dir, const std::string& name,
                                            int existing = -1);

  PinnedNetns(PinnedNetns&& other) noexcept;
  PinnedNetns& operator=(PinnedNetns&& other) noexcept;
  ~PinnedNetns();

  const std::string& path() const { return path_; }
  // Leaves the pin in place for good and returns its path; RemoveNetns takes it away.
  std::string Keep();

 private:
  explicit PinnedNetns(std::string path) : path_(std::move(path)) {}

  std::string path_;  // Empty: nothing to remove.
};

// Takes the pin at `path` away: unmounts it and removes the file. The kernel frees the namespace
// with its last process or descriptor. OK when there is no such pin, or only its empty file.
absl::Status RemoveNetns(const std::string& path);

// Opens a pin. NOT_FOUND when it is not there, FAILED_PRECONDITION when the file is there but is no
// network namespace, as after a reboot or a crash between making the file and the mount.
absl::StatusOr<UniqueFd> OpenNetns(const std::string& path);

}  // namespace bulkhead::network

#endif  // BULKHEAD_SHIM_NETWORK_NETNS_H_
