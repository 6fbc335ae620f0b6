#ifndef BULKHEAD_SHIM_NETWORK_NETWORK_H_
#define BULKHEAD_SHIM_NETWORK_NETWORK_H_

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shim/network/pod_network.h"

namespace bulkhead::network {

struct NetworkOptions {
  std::string config_dir = "/etc/cni/net.d";
  std::vector<std::string> plugin_dirs = {"/opt/cni/bin", "/usr/lib/cni"};
  std::string record_dir = "/var/lib/bulkhead/network";
  std::chrono::milliseconds plugin_timeout{60000};  // For one plugin of the chain.
};

// The CRI's NetworkReady condition.
struct NetworkReadiness {
  bool ready = false;
  std::string reason;   // One word; empty when ready.
  std::string message;  // A sentence; empty when ready.
};

// Attaches pods to the cluster's network with CNI plugins. Thread safe: calls for different pods
// run side by side and take no lock; calls for one pod are to be made one at a time. Pods with the
// host's network are none of its business.
class Network {
 public:
  // Starts to watch the configuration. Its absence is no error, it shows in Ready.
  static absl::StatusOr<std::unique_ptr<Network>> Create(NetworkOptions options);
  virtual ~Network() = default;

  // Runs the plugins' ADD in order. What is needed to undo it is recorded before the first one
  // starts; on any error, cancellation included, DEL has run in reverse for those that had started,
  // and if that failed too, Del is still owed and List names the pod. FAILED_PRECONDITION when the
  // network is not ready or the pod has a record already, INVALID_ARGUMENT for a bad request.
  virtual absl::StatusOr<PodNetworkResult> Add(const PodNetworkRequest& request) = 0;

  // Runs DEL in reverse with the configuration and result of the ADD, whatever is configured now
  // and whether or not the network namespace is still there. Goes on past a plugin that fails and
  // returns the first error; the caller repeats it until it is OK. OK when nothing is owed.
  virtual absl::Status Del(const std::string& pod_id) = 0;

  // Runs CHECK, for the plugins that have something to check, with the configuration and result of
  // ADD. OK where the configuration disables it or its version has none. NOT_FOUND for a pod that
  // was not added.
  virtual absl::Status Check(const std::string& pod_id) = 0;

  // Starts no process and reads no file.
  virtual NetworkReadiness Ready() const = 0;

  // The pods for which a DEL is owed, those that are running included: recovery calls Del for
  // every one that it does not know.
  virtual absl::StatusOr<std::vector<std::string>> List() const = 0;
};

}  // namespace bulkhead::network

#endif  // BULKHEAD_SHIM_NETWORK_NETWORK_H_
