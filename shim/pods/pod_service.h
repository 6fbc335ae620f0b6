#ifndef BULKHEAD_SHIM_PODS_POD_SERVICE_H_
#define BULKHEAD_SHIM_PODS_POD_SERVICE_H_

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/isolation/comparison.h"
#include "runtime/kernel/fd.h"
#include "runtime/spec/container.h"
#include "runtime/spec/pod.h"
#include "shim/config/config.h"
#include "shim/image/image_service.h"
#include "shim/network/network.h"
#include "shim/pods/attached_process.h"
#include "shim/pods/events.h"
#include "shim/pods/status.h"

namespace bulkhead::pods {

struct ExecResult {
  std::string standard_output;
  std::string standard_error;
  // The exit status, or 128 + signal.
  int32_t exit_code = 0;
};

// The life cycle of sandboxes and containers: the verbs of the CRI's RuntimeService in value
// types. Thread safe; every verb may be repeated at any time (docs/retries.md says what each
// repeat does). Ids may be given as a unique prefix. Errors: NOT_FOUND for an unknown id,
// INVALID_ARGUMENT for a bad field, FAILED_PRECONDITION for a wrong state.
class PodService {
 public:
  struct Dependencies {
    const config::Config* config;  // All outlive the service.
    image::ImageService* images;
    network::Network* network;
  };

  // Reads the records under the state directory, reconnects to the supervisors that live and
  // finishes or undoes what an earlier daemon left half done.
  static absl::StatusOr<std::unique_ptr<PodService>> Open(Dependencies dependencies);
  virtual ~PodService() = default;

  // Returns the sandbox's id.
  virtual absl::StatusOr<std::string> RunPodSandbox(const spec::PodSpec& spec) = 0;
  virtual absl::Status StopPodSandbox(const std::string& id) = 0;
  virtual absl::Status RemovePodSandbox(const std::string& id) = 0;
  virtual absl::StatusOr<PodStatus> PodSandboxStatus(const std::string& id) = 0;
  virtual std::vector<PodStatus> ListPodSandbox(const PodFilter& filter) = 0;

  // Notes what the pod has as a whole from now on; its cgroup is the kubelet's.
  virtual absl::Status UpdatePodSandboxResources(const std::string& id,
                                                 const spec::PodResources& resources) = 0;

  // Returns the container's id.
  virtual absl::StatusOr<std::string> CreateContainer(const std::string& pod_id,
                                                      const spec::ContainerSpec& spec) = 0;
  virtual absl::Status StartContainer(const std::string& id) = 0;
  // The grace period counts from the call; a second call with a shorter one shortens it.
  virtual absl::Status StopContainer(const std::string& id, std::chrono::seconds grace) = 0;
  virtual absl::Status RemoveContainer(const std::string& id) = 0;
  virtual absl::StatusOr<ContainerStatus> GetContainerStatus(const std::string& id) = 0;
  // A running container's isolation, as planned and as it is. FAILED_PRECONDITION when it does not
  // run, NOT_FOUND when the version that made it kept no plan.
  virtual absl::StatusOr<std::vector<isolation::Comparison>> CompareIsolation(
      const std::string& id) = 0;
  virtual std::vector<ContainerStatus> ListContainers(const ContainerFilter& filter) = 0;
  virtual absl::Status UpdateContainerResources(const std::string& id,
                                                const spec::Resources& resources) = 0;
  virtual absl::Status ReopenContainerLog(const std::string& id) = 0;

  // DEADLINE_EXCEEDED when `timeout` (0: none) passes; what it started is killed then.
  virtual absl::StatusOr<ExecResult> ExecSync(const std::string& id,
                                              const std::vector<std::string>& command,
                                              std::chrono::seconds timeout) = 0;

  // Starts a command. Destroying the result closes the client's ends and, with
  // `kill_on_disconnect`, kills the command if it still runs, with all that it started.
  virtual absl::StatusOr<std::unique_ptr<AttachedProcess>> Exec(
      const std::string& id, const std::vector<std::string>& command,
      const StreamSelection& streams) = 0;
  // Connects to a container's first process: to what it writes from now on, and to its standard
  // input. `streams.terminal` has to be what the container was made with. Destroying the result
  // leaves the container alone.
  virtual absl::StatusOr<std::unique_ptr<AttachedProcess>> Attach(
      const std::string& id, const StreamSelection& streams) = 0;
  // A connected, non-blocking TCP socket to the pod's localhost: IPv4, then IPv6.
  virtual absl::StatusOr<UniqueFd> Connect(const std::string& pod_id, uint16_t port) = 0;
  // Whether an Exec or Attach, a Connect, could be asked for now: NOT_FOUND, FAILED_PRECONDITION.
  virtual absl::Status CheckExec(const std::string& container_id) = 0;
  virtual absl::Status CheckPortForward(const std::string& pod_id) = 0;

  virtual std::shared_ptr<EventSubscription> SubscribeEvents() = 0;

  // Ends event streams and background work; pods run on.
  virtual void Shutdown() = 0;
};

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_POD_SERVICE_H_
