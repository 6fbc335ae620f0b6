#ifndef BULKHEAD_RUNTIME_ISOLATION_CGROUP_V2_H_
#define BULKHEAD_RUNTIME_ISOLATION_CGROUP_V2_H_

#include <string>
#include <utility>
#include <vector>

#include "runtime/isolation/cgroup.h"

namespace bulkhead::isolation {

// The one hierarchy of v2: cgroup-v2.rst.
class CgroupV2 : public CgroupManager {
 public:
  explicit CgroupV2(CgroupHierarchy tree) : tree_(std::move(tree)) {}

  absl::StatusOr<std::vector<std::string>> Create(std::string_view path) override;
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
  absl::Status Kill(std::string_view path, absl::Time deadline) override;
  absl::StatusOr<bool> IsEmpty(std::string_view path) override;
  absl::Status Remove(std::string_view path, absl::Time deadline) override;
  absl::Status Enter(std::string_view path) override;

 private:
  std::string Directory(std::string_view path) const;
  absl::StatusOr<std::vector<CgroupWrite>> PlanWrites(const std::string& directory,
                                                      const spec::Resources& resources) const;

  const CgroupHierarchy tree_;
};

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_CGROUP_V2_H_
