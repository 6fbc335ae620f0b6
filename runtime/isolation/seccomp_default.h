// The system-call profile of containers that ask for the runtime's default.
#ifndef BULKHEAD_RUNTIME_ISOLATION_SECCOMP_DEFAULT_H_
#define BULKHEAD_RUNTIME_ISOLATION_SECCOMP_DEFAULT_H_

#include <cstdint>

#include "runtime/spec/seccomp.h"

namespace bulkhead::isolation {

// An allowlist, as the default profiles of the peers are: everyday calls, calls that a capability
// of the container makes useful, EPERM for the rest that is known and ENOSYS for calls newer than
// the list, so that libc falls back. clone(2) may not make namespaces without CAP_SYS_ADMIN, and
// clone3(2), whose flags a filter cannot read, does not exist then. Bit n of `capabilities` is
// capability n.
spec::SeccompProfile DefaultSeccompProfile(uint64_t capabilities);

// The default profile without what widens the kernel's surface whatever the capabilities: io_uring,
// bpf(2), perf_event_open(2), keys, userfaultfd(2), mounts and new namespaces, user namespaces
// among them; with sockets of the everyday families only, and the machine's own architecture alone,
// since i386 has its sockets behind socketcall(2), whose arguments no filter reads.
spec::SeccompProfile StrictSeccompProfile(uint64_t capabilities);

// The default profile, but that the kernel logs what it would refuse and lets it through
// (SECCOMP_RET_LOG).
spec::SeccompProfile LoggedSeccompProfile(uint64_t capabilities);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_SECCOMP_DEFAULT_H_
