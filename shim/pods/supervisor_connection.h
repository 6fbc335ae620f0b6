#ifndef BULKHEAD_SHIM_PODS_SUPERVISOR_CONNECTION_H_
#define BULKHEAD_SHIM_PODS_SUPERVISOR_CONNECTION_H_

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "runtime/isolation/cgroup.h"
#include "runtime/isolation/host_facts.h"
#include "runtime/isolation/plan_launch.h"
#include "runtime/isolation/seccomp.h"
#include "runtime/supervisor/client.h"
#include "shim/pods/apparmor_profiles.h"
#include "shim/pods/exec_table.h"
#include "shim/pods/host.h"

namespace bulkhead::pods {

// What plans are made from; outlives the connections.
struct PlanContext {
  isolation::HostFacts facts;
  std::unique_ptr<isolation::CgroupManager> cgroups;
  std::unique_ptr<isolation::SeccompCompiler> seccomp;
  std::unique_ptr<AppArmorProfiles> apparmor;
  std::string supervisors_cgroup;            // In the v1 hierarchies; empty where there are none.
  std::vector<std::string> own_directories;  // The daemon's, which are not relabelled for a pod.

  // What is the same for the launch of a container and of a command in it.
  isolation::LaunchPlanInput LaunchInput(const PodRecord& pod,
                                         const ContainerRecord& container) const;
};

// Until the process of a pidfd has ended. DEADLINE_EXCEEDED.
absl::Status AwaitEnd(int process, absl::Time deadline);

// A supervisor over its socket: makes plans, opens what goes along, calls.
class SupervisorConnection : public PodSupervisor {
 public:
  // Callbacks for a client, which feed `execs` before the caller's.
  static supervisor::SupervisorClient::Callbacks Callbacks(std::shared_ptr<ExecTable> execs,
                                                           SupervisorCallbacks callbacks);

  // `process` is a pidfd of the supervisor.
  SupervisorConnection(const PlanContext& context,
                       std::shared_ptr<supervisor::SupervisorClient> client,
                       std::shared_ptr<ExecTable> execs, UniqueFd process);

  // Learns what the supervisor speaks after it became another build; before anybody else calls.
  absl::Status Renew(std::chrono::milliseconds timeout);

  const supervisor::HelloReply& hello() const override { return client_->hello(); }
  absl::StatusOr<int32_t> SetUp(PodSetup setup) override;
  absl::StatusOr<LaunchedContainer> CreateContainer(const ContainerLaunch& launch) override;
  absl::StatusOr<StartedContainer> StartContainer(const std::string& id) override;
  absl::Status SignalContainer(const std::string& id, int signal,
                               std::chrono::milliseconds timeout) override;
  absl::Status RemoveContainer(const std::string& id) override;
  absl::Status ReopenLog(const std::string& id, const std::string& log_path) override;
  absl::StatusOr<StartedExec> Exec(ExecStart start) override;
  absl::StatusOr<UniqueFd> Attach(AttachStart start) override;
  absl::Status Ping(std::chrono::milliseconds timeout) override;
  absl::Status Shutdown(std::chrono::milliseconds timeout) override;
  void Kill() override;
  absl::Status Wait(absl::Time deadline) override;

 private:
  struct MadeRoot {
    plan::RootPlan plan;
    isolation::SharedVolumes shared;
    std::set<std::string> devices;  // CgroupManager::PlanDevices; none for a privileged container.
    UniqueFd directory;
  };
  absl::StatusOr<MadeRoot> PrepareRoot(const ContainerLaunch& launch);
  // For a container that was created.
  absl::Status RunHooks(const ContainerLaunch& launch, int32_t pid);
  // OK when the supervisor knows what a plan asks of the security modules and of an agent.
  absl::Status CheckKnown(const plan::LsmPlan& lsm, const plan::SeccompPlan& seccomp) const;
  // The same for a label of SELinux's, of a process or of files.
  absl::Status CheckSelinux(const std::string& label) const;
  static absl::Status SignalExec(const std::weak_ptr<supervisor::SupervisorClient>& client,
                                 uint64_t id, int signal, std::chrono::milliseconds timeout);
  absl::StatusOr<supervisor::HelloReply> Hello(std::chrono::milliseconds timeout);

  const PlanContext& context_;
  const std::shared_ptr<supervisor::SupervisorClient> client_;
  const std::shared_ptr<ExecTable> execs_;
  const UniqueFd process_;
  uint32_t protocol_ = 0;
};

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_SUPERVISOR_CONNECTION_H_
