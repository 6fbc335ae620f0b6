#ifndef BULKHEAD_SHIM_PODS_LINUX_HOST_H_
#define BULKHEAD_SHIM_PODS_LINUX_HOST_H_

#include <memory>
#include <string>
#include <vector>

#include "runtime/supervisor/client_loop.h"
#include "runtime/supervisor/spawn.h"
#include "shim/config/config.h"
#include "shim/pods/host.h"
#include "shim/pods/supervisor_connection.h"

namespace bulkhead::pods {

// The host that this process runs on.
class LinuxHost : public Host {
 public:
  // Probes the host, loads the supervisor's program and makes the supervisors' cgroup.
  static absl::StatusOr<std::unique_ptr<LinuxHost>> Open(const config::Config& config);
  // Takes the supervisors' cgroup away when none is left in it.
  ~LinuxHost() override;

  absl::StatusOr<std::shared_ptr<PodSupervisor>> SpawnSupervisor(
      const std::string& pod_id, const std::string& directory,
      SupervisorCallbacks callbacks) override;
  absl::StatusOr<std::shared_ptr<PodSupervisor>> ConnectSupervisor(
      const std::string& directory, SupervisorCallbacks callbacks) override;
  absl::Status KillSupervisor(const std::string& directory, absl::Time deadline) override;

  std::string NetnsPath(const std::string& pod_id) const override;
  const isolation::SelinuxFacts* Selinux() const override;
  absl::StatusOr<std::string> CanonicalSelinuxContext(const std::string& label) override;
  absl::StatusOr<isolation::OwnedNamespaces> CreateUserNamespace(
      const spec::UserNamespace& asked) override;
  absl::Status CreateNetns(const std::string& pod_id, int network) override;
  absl::Status RemoveNetns(const std::string& path) override;

  bool CgroupExists(const std::string& path) const override;
  absl::StatusOr<std::unique_ptr<isolation::CgroupHold>> CreateCgroup(
      const std::string& path, const spec::Resources& resources) override;
  absl::Status Confine(const std::string& path, const spec::ContainerSpec& spec) override;
  absl::StatusOr<std::vector<isolation::Comparison>> CompareIsolation(
      const PodRecord& pod, const ContainerRecord& container, const std::string& plan_file,
      int32_t pid) override;
  absl::Status SetResources(const std::string& path, const spec::Resources& resources) override;
  absl::Status KillCgroup(const std::string& path, absl::Time deadline) override;
  absl::StatusOr<bool> CgroupIsEmpty(const std::string& path) override;
  absl::Status RemoveCgroup(const std::string& path, absl::Time deadline) override;
  absl::StatusOr<std::string> CreateExecLeaf(const std::string& container,
                                             const std::string& name) override;
  std::vector<std::string> ExecLeavesOf(const std::string& container) override;
  absl::StatusOr<bool> RemoveExecLeaf(const std::string& leaf) override;
  std::string ExecLeafEvents(const std::string& leaf) const override;
  absl::StatusOr<UniqueFd> Connect(const std::string& netns, uint16_t port,
                                   std::chrono::milliseconds bound) override;

 private:
  LinuxHost(PlanContext context, supervisor::SupervisorImage image,
            std::unique_ptr<supervisor::ClientLoop> loop, std::string netns_directory);

  const PlanContext context_;
  const supervisor::SupervisorImage image_;
  const std::unique_ptr<supervisor::ClientLoop> loop_;
  const std::string netns_directory_;
};

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_LINUX_HOST_H_
