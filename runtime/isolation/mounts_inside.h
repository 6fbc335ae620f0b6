// Mount calls for the steps between clone and exec: no allocation, errno values.
#ifndef BULKHEAD_RUNTIME_ISOLATION_MOUNTS_INSIDE_H_
#define BULKHEAD_RUNTIME_ISOLATION_MOUNTS_INSIDE_H_

#include <cstdint>

#include "runtime/isolation/steps.h"

namespace bulkhead::isolation {

// A detached mount of a new instance, or -errno. `label` is the SELinux context of its files, empty
// for none; there are no other options.
int NewFilesystemInside(const char* type, const char* label, uint64_t attributes);

// Attaches a detached mount at the place a descriptor refers to.
Outcome AttachInside(int mount, int place, const char* subject);

// Puts the private mount at `place`, a descriptor of its root, into the peer group of the detached
// mount `peer`: move_mount(2), MOVE_MOUNT_SET_GROUP (Linux 5.15). What is mounted below it before
// is mounted there alone, what comes later below all peers.
Outcome JoinPeerGroupInside(int peer, int place, const char* subject);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_MOUNTS_INSIDE_H_
