#ifndef BULKHEAD_RUNTIME_ISOLATION_SYSTEMD_CGROUP_H_
#define BULKHEAD_RUNTIME_ISOLATION_SYSTEMD_CGROUP_H_

#include <sys/types.h>

#include <functional>
#include <memory>
#include <shared_mutex>
#include <string>
#include <vector>

#include "runtime/isolation/cgroup.h"
#include "runtime/isolation/systemd_bus.h"

namespace bulkhead::isolation {

// A process that does nothing. systemd refuses a scope without processes and takes away one that
// became empty, so this one is in it until a container's first process is.
class PlaceHolder : public CgroupHold {
 public:
  virtual pid_t pid() const = 0;
};

// cgroups whose last element is a scope or a slice are systemd's, who makes and removes them; what
// is below a scope, and all that systemd cannot set, is done through the files by `files`.
class SystemdCgroups : public CgroupManager {
 public:
  using StartPlaceHolder = std::function<absl::StatusOr<std::unique_ptr<PlaceHolder>>()>;

  SystemdCgroups(std::unique_ptr<CgroupManager> files, std::unique_ptr<UnitManager> units,
                 StartPlaceHolder start_place_holder);

  absl::StatusOr<std::vector<std::string>> Create(std::string_view path) override;
  absl::StatusOr<std::unique_ptr<CgroupHold>> CreateLimited(
      std::string_view path, const spec::Resources& resources) override;
  absl::Status SetResources(std::string_view path, const spec::Resources& resources) override;
  absl::StatusOr<std::vector<CgroupWrite>> PlanLimits(
      std::string_view path, const spec::Resources& resources) const override;
  absl::Status SetDevices(std::string_view path, const std::vector<DeviceRule>& rules) override;
  absl::StatusOr<std::set<std::string>> ReadDevices(std::string_view path) const override;
  std::set<std::string> PlanDevices(const std::vector<DeviceRule>& rules) const override;
  CgroupJoinPaths JoinPaths(std::string_view path) const override;
  std::string LeafDirectory(std::string_view leaf) const override;
  std::string ExecLeafEvents(std::string_view leaf) const override;
  CgroupJoinPaths ExecJoinPaths(std::string_view container, std::string_view leaf) const override;
  std::string OomEventsPath(std::string_view path) const override;
  std::string PodOomEventsPath(std::string_view path) const override;
  absl::Status Kill(std::string_view path, absl::Time deadline) override;
  absl::StatusOr<bool> IsEmpty(std::string_view path) override;
  absl::Status Remove(std::string_view path, absl::Time deadline) override;
  absl::Status Enter(std::string_view path) override;

 private:
  absl::Status StartScope(std::string_view path, const spec::Resources& resources, pid_t pid);
  absl::Status StopSlice(std::string_view path, const std::string& slice);

  const std::unique_ptr<CgroupManager> files_;
  const std::unique_ptr<UnitManager> units_;
  const StartPlaceHolder start_place_holder_;
  // Shared while a scope is started, exclusive while a slice is stopped: systemd would end what
  // had just been started in it. Slices that the kubelet made are never stopped here.
  std::shared_mutex slices_;
};

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_SYSTEMD_CGROUP_H_
