#ifndef BULKHEAD_SHIM_STREAMING_TARGET_H_
#define BULKHEAD_SHIM_STREAMING_TARGET_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"
#include "shim/pods/attached_process.h"

namespace bulkhead::streaming {

// What clients are connected to. Thread safe; every call may block.
class Target {
 public:
  virtual ~Target() = default;

  // Whether an exec, an attach or a port-forward would be taken, before a client is given a URL.
  // NOT_FOUND: no such container or pod; FAILED_PRECONDITION: it does not run.
  virtual absl::Status CheckContainer(const std::string& container_id) = 0;
  virtual absl::Status CheckPod(const std::string& pod_id) = 0;

  virtual absl::StatusOr<std::unique_ptr<pods::AttachedProcess>> Exec(
      const std::string& container_id, const std::vector<std::string>& command,
      const pods::StreamSelection& streams) = 0;
  virtual absl::StatusOr<std::unique_ptr<pods::AttachedProcess>> Attach(
      const std::string& container_id, const pods::StreamSelection& streams) = 0;
  // A connected, non-blocking TCP socket to the pod's localhost.
  virtual absl::StatusOr<UniqueFd> Connect(const std::string& pod_id, uint16_t port) = 0;
};

}  // namespace bulkhead::streaming

#endif  // BULKHEAD_SHIM_STREAMING_TARGET_H_
