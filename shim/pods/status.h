// What the pod service tells about pods and containers: plain copies, safe to keep.
#ifndef BULKHEAD_SHIM_PODS_STATUS_H_
#define BULKHEAD_SHIM_PODS_STATUS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/spec/container.h"
#include "runtime/spec/pod.h"

namespace bulkhead::pods {

enum class PodState { kReady, kNotReady };
enum class ContainerState { kCreated, kRunning, kExited, kUnknown };

// The user that the container's process runs as, resolved in the container's own files.
struct ResolvedUser {
  uint32_t uid = 0;
  uint32_t gid = 0;
  std::vector<uint32_t> groups;

  bool operator==(const ResolvedUser&) const = default;
};

// What a full or hung log disk has cost.
struct LogLoss {
  uint64_t lines = 0;
  // The container has ended, and not all that it wrote is in its log.
  bool unfinished = false;
};

struct ContainerStatus {
  std::string id;
  std::string pod_id;
  spec::ContainerSpec spec;
  ContainerState state = ContainerState::kUnknown;
  // Nanoseconds since the epoch; 0: not yet.
  int64_t created_at = 0;
  int64_t started_at = 0;
  int64_t finished_at = 0;
  int32_t exit_code = 0;
  // `Completed`, `Error`, `OOMKilled`, `ContainerCannotRun`, `SupervisorLost`, …
  std::string reason;
  std::string message;
  // The image's id (config digest), and the reference by digest when there is one.
  std::string image_id;
  std::string image_ref;
  // The ids of the image volumes' images, by the names that the spec has.
  std::map<std::string, std::string> volume_images;
  // Absolute, on the host.
  std::string log_path;
  ResolvedUser user;
  std::string stop_signal;
  // In the host's PID namespace; 0 when it does not run.
  int32_t pid = 0;
  LogLoss log_loss;
};

struct PodStatus {
  std::string id;
  spec::PodSpec spec;
  PodState state = PodState::kNotReady;
  int64_t created_at = 0;
  // The primary address first; none for pods on the host's network.
  std::vector<std::string> ips;
  // Path of the pinned network namespace; empty for the host's.
  std::string network_namespace;
  // PID 1 of the shared PID namespace, 0 when the pod has none.
  int32_t pid = 0;
  // Why the pod is not ready, where it was not stopped on request.
  std::string reason;
  // When the state told was current, for evented PLEG.
  int64_t timestamp = 0;
  std::vector<ContainerStatus> containers;
};

// Everything set must hold. Ids are matched by prefix, as the CRI's filters ask.
struct PodFilter {
  std::string id;
  std::optional<PodState> state;
  std::map<std::string, std::string> labels;
};

struct ContainerFilter {
  std::string id;
  std::string pod_id;
  std::optional<ContainerState> state;
  std::map<std::string, std::string> labels;
};

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_STATUS_H_
