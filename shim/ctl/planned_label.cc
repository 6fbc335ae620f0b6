#include "shim/ctl/planned_label.h"

#include <vector>

#include "absl/status/statusor.h"
#include "shim/pods/record.h"

namespace bulkhead::ctl {

std::optional<std::string> PlannedLabel(const std::string& state_directory,
                                        const std::string& container_id) {
  const pods::RecordStore records(state_directory + "/pods");
  const absl::StatusOr<std::vector<std::string>> ids = records.List();
  if (!ids.ok()) return std::nullopt;
  for (const std::string& id : *ids) {
    const absl::StatusOr<pods::PodFile> file = records.Read(id);
    if (!file.ok()) continue;
    for (const pods::ContainerRecord& container : file->containers) {
      if (container.id != container_id) continue;
      const std::string& selinux = container.selinux.process;
      return selinux.empty() ? container.apparmor_profile : selinux;
    }
  }
  return std::nullopt;
}

bool IsPlannedLabel(const std::string& actual, const std::string& planned) {
  // Without a profile AppArmor says "unconfined", SELinux the daemon's own label.
  return planned.empty() || actual == planned || actual.starts_with(planned + " (");
}

}  // namespace bulkhead::ctl
