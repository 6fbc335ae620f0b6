// ID-mapped mounts: mount_setattr(2), MOUNT_ATTR_IDMAP.
#ifndef BULKHEAD_RUNTIME_ISOLATION_ID_MAP_H_
#define BULKHEAD_RUNTIME_ISOLATION_ID_MAP_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"
#include "runtime/spec/security.h"

namespace bulkhead::isolation {

using spec::IdRange;

// INVALID_ARGUMENT: none or more than 340 ranges, an empty one, one beyond 2^32 - 1, two that
// overlap on either side.
absl::Status ValidateIdMap(const std::vector<IdRange>& ranges);

// A user namespace with these maps and no process in it. Needs CAP_SETUID and CAP_SETGID in the
// initial user namespace; `procfs` is a verified one.
absl::StatusOr<UniqueFd> MakeUserNamespace(int procfs, const std::vector<IdRange>& uids,
                                           const std::vector<IdRange>& gids);

// A user namespace with namespaces that it owns, and no process in any of them. What a capability
// of a container covers is decided by the owner: CAP_NET_ADMIN works on a network namespace, and
// CAP_SYS_ADMIN on a host name, only where the container's user namespace owns it.
struct OwnedNamespaces {
  UniqueFd user;
  UniqueFd network;
  UniqueFd ipc;
  UniqueFd uts;
};
absl::StatusOr<OwnedNamespaces> MakeOwnedNamespaces(int procfs, const std::vector<IdRange>& uids,
                                                    const std::vector<IdRange>& gids);

// The id outside of a user namespace with this map; the same id for an empty map, which is none.
// INVALID_ARGUMENT for one that is not mapped.
absl::StatusOr<uint32_t> HostId(const std::vector<IdRange>& map, uint32_t id);

// Gives a detached mount the maps of a user namespace, and takes its device nodes their effect:
// they are the mapped superuser's now. Fails for file systems that cannot do it.
absl::Status MapMount(int mount, int user_namespace);

// Whether user namespaces can be made, and mounts of the file system of `directory` be mapped; an
// error says what cannot.
absl::Status ProbeIdMapping(const std::string& directory);

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_ID_MAP_H_
