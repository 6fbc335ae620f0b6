// Peer groups of mounts: mount_namespaces(7), "Shared subtrees".
#ifndef BULKHEAD_RUNTIME_KERNEL_PEER_GROUP_H_
#define BULKHEAD_RUNTIME_KERNEL_PEER_GROUP_H_

#include "absl/status/statusor.h"

namespace bulkhead {

// How a mount receives and sends on what is mounted below it. A slave that is shared too is
// kShared.
enum class PeerGroup { kPrivate, kSlave, kShared };

// Of the mount that `fd` lies on, which must be in the calling thread's mount namespace and below
// its root directory; FAILED_PRECONDITION otherwise. `procfs` is a descriptor of a procfs that
// knows the thread.
absl::StatusOr<PeerGroup> PeerGroupOf(int fd, int procfs);

}  // namespace bulkhead

#endif  // BULKHEAD_RUNTIME_KERNEL_PEER_GROUP_H_
