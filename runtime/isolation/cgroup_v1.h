#ifndef BULKHEAD_RUNTIME_ISOLATION_CGROUP_V1_H_
#define BULKHEAD_RUNTIME_ISOLATION_CGROUP_V1_H_

#include <string>
#include <utility>
#include <vector>

#include "runtime/isolation/cgroup.h"
#include "runtime/isolation/cgroup_files.h"

namespace bulkhead::isolation {

// A cgroup is one directory in each v1 hierarchy and, on a hybrid host, one in the v2 tree, which
// is used for joining, killing and waiting but never for controllers: those belong to the host.
class CgroupV1 : public CgroupManager {
 public:
  explicit CgroupV1(CgroupFacts facts) : facts_(std::move(facts)) {}

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
  absl::StatusOr<std::vector<CgroupWrite>> PlanWrites(std::string_view path,
                                                      const spec::Resources& resources) const;
  // All directories of a cgroup, the v2 tree's last.
  std::vector<std::string> Directories(std::string_view path) const;
  // The directory in the hierarchy of a controller; empty without it.
  std::string Directory(std::string_view controller, std::string_view path) const;
  std::string TreeDirectory(std::string_view path) const;
  // The directory with a control file, by the controller in its name.
  std::string DirectoryOfFile(const std::string& file, std::string_view path) const;
  absl::StatusOr<bool> CreateOne(const std::string& path);
  absl::Status InheritCpuset(const std::string& path);
  absl::Status WriteCpu(std::string_view path, std::vector<CgroupWrite> writes);

  const CgroupFacts facts_;
};

}  // namespace bulkhead::isolation

#endif  // BULKHEAD_RUNTIME_ISOLATION_CGROUP_V1_H_
