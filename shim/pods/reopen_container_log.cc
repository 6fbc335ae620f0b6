// ReopenContainerLog: the kubelet renamed the log; lines go to a new file of the old name.
#include "absl/strings/str_cat.h"
#include "shim/pods/service.h"

namespace bulkhead::pods {

absl::Status Service::ReopenContainerLog(const std::string& id) {
  const absl::StatusOr<FoundContainer> found = registry_.FindContainer(id);
  if (!found.ok()) return found.status();
  const ContainerRecord record = RecordOf(*found->pod, *found->container);
  const auto supervisor = SupervisorOf(*found->pod);
  if (record.phase != ContainerPhase::kRunning || supervisor == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat("container ", record.id, " is not running"));
  }
  if (record.log_path.empty()) return absl::OkStatus();
  return supervisor->ReopenLog(record.id, record.log_path);
}

}  // namespace bulkhead::pods
