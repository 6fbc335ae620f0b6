#ifndef BULKHEAD_SHIM_PODS_SERVICE_H_
#define BULKHEAD_SHIM_PODS_SERVICE_H_

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "shim/network/network.h"
#include "shim/pods/background.h"
#include "shim/pods/captured_output.h"
#include "shim/pods/cgroups.h"
#include "shim/pods/events.h"
#include "shim/pods/exec_leaves.h"
#include "shim/pods/host.h"
#include "shim/pods/pod.h"
#include "shim/pods/pod_service.h"
#include "shim/pods/record.h"
#include "shim/pods/registry.h"
#include "shim/pods/selinux_labels.h"
#include "shim/policy/host_ids.h"
#include "shim/policy/profile.h"
#include "shim/policy/selinux_levels.h"

namespace bulkhead::pods {

// The pod service over the narrow interfaces of host.h. A verb is a file; what several verbs need
// is in service.cc, teardown.cc and exits.cc.
//
// Order, without locks held across anything that blocks: a call puts what it is about to do into
// the pod's state (a phase, a flag), and calls that must not run beside it wait on Pod::changed.
class Service : public PodService {
 public:
  struct Options {
    std::string state_directory;  // tmpfs
    std::string data_directory;   // disk
    CgroupParents cgroup_parents;
    policy::Profiles profiles;
    std::vector<std::string> cdi_spec_dirs;
    // What user namespaces get that pods did not ask for (policy::HostIds).
    uint32_t first_host_id = 0x70000000;
    uint32_t host_id_ranges = 1024;
    uint32_t selinux_categories = policy::SelinuxLevels::kCategories;
    // Of standard output and standard error together.
    size_t exec_output_limit = CapturedOutput::kLimit;
    // Whether a command is killed when its client goes.
    bool kill_on_disconnect = false;
    // How long a connection to a port of a pod may take to be made, an address.
    std::chrono::milliseconds connect_bound{5000};
    // How long a supervisor may take to answer before it counts as hung and is killed.
    std::chrono::milliseconds answer_bound{5000};
    // How long killed processes may take to be gone.
    std::chrono::milliseconds kill_bound{10000};
    Background::Pauses retry_pauses;
  };

  // The network outlives the service.
  Service(Options options, std::shared_ptr<Host> host, std::shared_ptr<Images> images,
          network::Network* network);
  ~Service() override;

  // Once, before the first call: finishes or undoes what an earlier daemon left.
  absl::Status Recover();

  absl::StatusOr<std::string> RunPodSandbox(const spec::PodSpec& spec) override;
  absl::Status StopPodSandbox(const std::string& id) override;
  absl::Status RemovePodSandbox(const std::string& id) override;
  absl::StatusOr<PodStatus> PodSandboxStatus(const std::string& id) override;
  std::vector<PodStatus> ListPodSandbox(const PodFilter& filter) override;

  absl::Status UpdatePodSandboxResources(const std::string& id,
                                         const spec::PodResources& resources) override;

  absl::StatusOr<std::string> CreateContainer(const std::string& pod_id,
                                              const spec::ContainerSpec& spec) override;
  absl::Status StartContainer(const std::string& id) override;
  absl::Status StopContainer(const std::string& id, std::chrono::seconds grace) override;
  absl::Status RemoveContainer(const std::string& id) override;
  absl::StatusOr<ContainerStatus> GetContainerStatus(const std::string& id) override;
  absl::StatusOr<std::vector<isolation::Comparison>> CompareIsolation(
      const std::string& id) override;
  std::vector<ContainerStatus> ListContainers(const ContainerFilter& filter) override;
  absl::Status UpdateContainerResources(const std::string& id,
                                        const spec::Resources& resources) override;
  absl::Status ReopenContainerLog(const std::string& id) override;

  absl::StatusOr<ExecResult> ExecSync(const std::string& id,
                                      const std::vector<std::string>& command,
                                      std::chrono::seconds timeout) override;

  absl::StatusOr<std::unique_ptr<AttachedProcess>> Exec(const std::string& id,
                                                        const std::vector<std::string>& command,
                                                        const StreamSelection& streams) override;
  absl::StatusOr<std::unique_ptr<AttachedProcess>> Attach(const std::string& id,
                                                          const StreamSelection& streams) override;
  absl::StatusOr<UniqueFd> Connect(const std::string& pod_id, uint16_t port) override;
  absl::Status CheckExec(const std::string& container_id) override;
  absl::Status CheckPortForward(const std::string& pod_id) override;

  std::shared_ptr<EventSubscription> SubscribeEvents() override { return events_.Subscribe(); }
  void Shutdown() override;

 private:
  class SandboxMaking;  // run_pod_sandbox.cc
  // Gives a user namespace that has no maps its ids, before anything is made of it.
  absl::Status GiveHostIds(Pod& pod);
  // Gives it an SELinux level of its own, or the one it asks for, where the host has SELinux.
  absl::Status GiveLabel(Pod& pod);
  CanonicalContext CanonicalContexts() const;
  class ContainerMaking;  // create_container.cc
  // Of the sandbox's handler. FAILED_PRECONDITION when the configuration has it no more.
  absl::StatusOr<policy::Profile> ProfileOf(const spec::PodSpec& pod) const;
  class Recovery;  // recovery.cc

  // service.cc: small things that every verb needs.
  std::string DirectoryOf(const Pod& pod) const { return records_.DirectoryOf(pod.record.id); }
  std::string DataOf(const Container& container) const;
  std::string ExitRecordOf(const Pod& pod, const Container& container) const;
  std::string SeccompFileOf(const Pod& pod, const Container& container) const;
  std::string PlanFileOf(const Pod& pod, const Container& container) const;
  // Writes the pod's record as it is now. Without the pod's mutex.
  absl::Status Save(Pod& pod);
  // Removes the record for good, with all that lies in the pod's directory.
  absl::Status RemoveRecord(Pod& pod);
  // With the pod's mutex held, so that events come in the order of the states they tell.
  void Publish(Pod& pod, const std::string& id, ContainerEvent::Type type);
  SupervisorCallbacks CallbacksFor(const std::shared_ptr<Pod>& pod);
  // Makes the cgroup, with the parents that are missing noted in the pod's record first.
  absl::StatusOr<std::unique_ptr<isolation::CgroupHold>> MakeCgroup(
      Pod& pod, const std::string& path, const spec::Resources& resources);
  absl::Time KillDeadline() const { return absl::Now() + absl::FromChrono(options_.kill_bound); }

  // exec.cc
  // A container that runs, and copies of what is known about it.
  struct RunningContainer {
    FoundContainer found;
    PodRecord pod;
    ContainerRecord container;
    std::shared_ptr<PodSupervisor> supervisor;
  };
  absl::StatusOr<RunningContainer> FindRunning(const std::string& id) const;
  using Deadline = std::chrono::steady_clock::time_point;
  // Starts a command in a cgroup of its own. DEADLINE_EXCEEDED: it was killed.
  struct LaunchedCommand {
    StartedExec started;
    std::string leaf;
  };
  absl::StatusOr<LaunchedCommand> LaunchCommand(const RunningContainer& in,
                                                const std::vector<std::string>& command,
                                                ExecStreams streams,
                                                std::optional<Deadline> deadline = std::nullopt);
  // SIGKILL to the command with all that it started; without a leaf, to its process group.
  static void KillCommand(Host& host, const std::string& leaf, ExecProcess& process);

  // exec_sync.cc
  // The same, and waits for their ends.
  absl::Status KillTimedOut(const std::string& leaf, ExecProcess& process);

  // attach.cc
  // FAILED_PRECONDITION when it has ended.
  static absl::StatusOr<std::shared_ptr<ContainerEnd>> WatchEnd(Pod& pod, Container& container);

  // connect.cc
  // FAILED_PRECONDITION unless the sandbox is ready.
  absl::StatusOr<PodRecord> FindReady(const std::string& pod_id) const;

  // run_pod_sandbox.cc
  absl::StatusOr<std::string> MakePod(const std::shared_ptr<Pod>& pod);
  // The answer for who asks for a pod that is there or being made; none when it has just gone.
  static std::optional<absl::StatusOr<std::string>> JoinPod(Pod& pod, const spec::PodSpec& spec);

  // create_container.cc
  absl::StatusOr<std::string> MakeContainer(const std::shared_ptr<Pod>& pod,
                                            const std::shared_ptr<Container>& container);
  // What is asked, with its CDI devices and as the sandbox's handler has it.
  absl::StatusOr<spec::ContainerSpec> WhatContainerGets(const spec::PodSpec& pod,
                                                        const spec::ContainerSpec& asked) const;
  // With the pod's mutex held through `lock`. None when no container has the spec's name.
  static std::optional<absl::StatusOr<std::string>> JoinContainers(
      Pod& pod, const spec::ContainerSpec& spec, std::unique_lock<std::mutex>& lock);
  // The same for one that has. None when it has just gone.
  static std::optional<absl::StatusOr<std::string>> JoinContainer(
      Pod& pod, std::shared_ptr<Container> container, const spec::ContainerSpec& spec,
      std::unique_lock<std::mutex>& lock);
  void UndoContainer(const std::shared_ptr<Pod>& pod, const std::shared_ptr<Container>& container,
                     const absl::Status& why);

  // stop_container.cc
  // Waits until the container has ended; false when `until` passed first.
  static bool AwaitExit(Pod& pod, const Container& container,
                        std::chrono::steady_clock::time_point until);
  void SendStopSignal(Pod& pod, const std::string& id, const std::string& name,
                      std::chrono::milliseconds timeout);
  // Kills all of the container and waits for its end to be known, whatever its supervisor does.
  absl::Status KillContainer(Pod& pod, Container& container);
  // Kills a supervisor that does not answer. True when it was killed, or was gone before.
  bool KillHungSupervisor(Pod& pod);

  // stop_pod_sandbox.cc
  absl::Status StopPod(const std::shared_ptr<Pod>& pod);
  // The steps of a stop, while `stop_under_way` is ours.
  absl::Status StopPodSteps(const std::shared_ptr<Pod>& pod);
  void AwaitMakings(Pod& pod);

  // start_container.cc
  static absl::Status JoinStart(Pod& pod, Container& container, std::unique_lock<std::mutex>& lock);
  absl::Status ReleaseContainer(const FoundContainer& found);
  // Ends all of the container, then tells that it cannot run.
  void FailStart(Pod& pod, Container& container, const absl::Status& why);

  // remove_container.cc and remove_pod_sandbox.cc
  absl::Status RemoveFoundContainer(const std::shared_ptr<Pod>& pod,
                                    const std::shared_ptr<Container>& container);
  void ForgetContainer(Pod& pod, Container& container);
  absl::Status RemovePodSteps(const std::shared_ptr<Pod>& pod);

  // teardown.cc: the way back, for a failed call, a removal and a crash alike. Each is OK when
  // there is nothing to undo, and goes on past failures to return the first.
  absl::Status TearDownPod(Pod& pod);
  absl::Status TearDownContainer(Pod& pod, Container& container);
  void EndSupervisor(Pod& pod);
  // SIGKILL; what does not end soon is reaped in the background.
  void KillSupervisor(const Pod& pod, const std::shared_ptr<PodSupervisor>& supervisor);
  absl::Status ReleaseNetwork(const std::string& pod_id, const std::string& netns);
  absl::Status RemovePodCgroups(Pod& pod);

  // exits.cc: what supervisors tell, and what is found when one is lost.
  void OnEvent(const std::shared_ptr<Pod>& pod, const supervisor::Event& event);
  void OnContainerExited(const std::shared_ptr<Pod>& pod, const std::string& id,
                         const supervisor::ExitRecord& exit);
  // With the pod's mutex held: the container has ended once nothing of it is left.
  void SettleExit(const std::shared_ptr<Pod>& pod, const std::shared_ptr<Container>& container,
                  const supervisor::ExitRecord& exit);
  // With the pod's mutex held. An empty reason is told by the exit itself.
  void FinishExit(Pod& pod, Container& container, const supervisor::ExitRecord& exit,
                  const std::string& reason, const std::string& message);
  // The end of a container whose supervisor is gone: from its exit record, or by killing it.
  void SettleLost(Pod& pod, Container& container);
  void SettleLostPod(const std::shared_ptr<Pod>& pod);
  // With the pod's mutex held, once `made` is known: what came too early for SettleLostPod.
  void SettleEarlyLoss(const std::shared_ptr<Pod>& pod);
  // With the pod's mutex held: the sandbox is not ready from here on.
  void OnLogLoss(Pod& pod, const supervisor::LogLoss& loss);
  void EndReadiness(Pod& pod, const std::string& reason);
  // Writes the record where nobody waits for the result.
  void SaveSettled(Pod& pod);

  const Options options_;
  const std::shared_ptr<Host> host_;
  const std::shared_ptr<Images> images_;
  network::Network* const network_;
  const RecordStore records_;
  CgroupClaims cgroups_;
  policy::HostIds host_ids_;
  policy::SelinuxLevels selinux_levels_;
  // Commands can outlive the service in their clients' hands.
  const std::shared_ptr<ExecLeaves> leaves_;
  Registry registry_;
  EventHub events_;
  // Apart, so that a CNI plugin that hangs delays no container's end.
  Background settling_;
  Background retries_;
};

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_SERVICE_H_
