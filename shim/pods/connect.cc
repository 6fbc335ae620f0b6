// Connect: a port of a pod's localhost, for port-forwarding.
#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"
#include "shim/pods/service.h"

namespace bulkhead::pods {

absl::StatusOr<UniqueFd> Service::Connect(const std::string& pod_id, uint16_t port) {
  if (port == 0) return absl::InvalidArgumentError("port: 0");
  absl::StatusOr<PodRecord> pod = FindReady(pod_id);
  if (!pod.ok()) return pod.status();
  return host_->Connect(pod->network_namespace, port, options_.connect_bound);
}

absl::Status Service::CheckPortForward(const std::string& pod_id) {
  return FindReady(pod_id).status();
}

absl::StatusOr<PodRecord> Service::FindReady(const std::string& pod_id) const {
  const absl::StatusOr<std::shared_ptr<Pod>> found = registry_.Find(pod_id);
  if (!found.ok()) return found.status();
  Pod& pod = **found;
  const std::lock_guard lock(pod.mutex);
  if (StateOf(pod) != PodState::kReady) {
    return absl::FailedPreconditionError(absl::StrCat("sandbox ", pod.record.id, " is not ready"));
  }
  return pod.record;
}

}  // namespace bulkhead::pods
