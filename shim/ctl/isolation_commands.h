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

// Prints what the kernel says of a running container's first process: not what was asked for. A
// label that is not the one it was launched with is marked.
absl::Status PrintIsolation(const config::Flags& flags, const std::string& id, bool json,
                            std::ostream& out);

}  // namespace bulkhead::ctl

#endif  // BULKHEAD_SHIM_CTL_ISOLATION_COMMANDS_H_
