#ifndef BULKHEAD_SHIM_CTL_ISOLATION_COMMANDS_H_
#define BULKHEAD_SHIM_CTL_ISOLATION_COMMANDS_H_

#include <sys/types.h>

#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shim/config/flags.h"

namespace bulkhead::ctl {

struct ContainerProcess {
  pid_t pid = 0;
  std::string container_id;
};

// The longest running process under `proc` (proc(5)) whose cgroup is a container's with this id
// or start of an id. NOT_FOUND when nothing runs there, INVALID_ARGUMENT when several containers
// have such an id or `id` is not made of hexadecimal digits.
absl::StatusOr<ContainerProcess> FindContainer(const std::string& proc, const std::string& id);

// Prints each mechanism of the running containers as it was planned and as the kernel has it. `id`
// is that of a container or a pod, or the start of one; empty: all containers of this node.
// FAILED_PRECONDITION, after all was printed, when one is not as planned.
absl::Status PrintIsolation(const config::Flags& flags, const std::string& id, bool json,
                            std::ostream& out);

}  // namespace bulkhead::ctl

#endif  // BULKHEAD_SHIM_CTL_ISOLATION_COMMANDS_H_
