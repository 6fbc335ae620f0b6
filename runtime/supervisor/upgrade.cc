#include "runtime/supervisor/upgrade.h"

#include <vector>

#include "runtime/kernel/status.h"

namespace bulkhead::supervisor {

absl::StatusOr<bool> UpgradeSupervisor(SupervisorClient& client, const SupervisorImage& image,
                                       std::chrono::milliseconds timeout) {
  if (client.hello().build() == image.build()) return false;
  absl::StatusOr<UniqueFd> program = image.Duplicate();
  if (!program.ok()) return program.status();
  std::vector<UniqueFd> fds;
  fds.push_back(*std::move(program));
  Request request;
  request.mutable_reexec();
  const absl::StatusOr<Response> response =
      client.Call(std::move(request), std::move(fds), timeout);
  if (!response.ok()) return Annotate(response.status(), "upgrade the pod's supervisor");
  return true;
}

}  // namespace bulkhead::supervisor
