#ifndef BULKHEAD_SHIM_DAEMON_STREAM_TARGET_H_
#define BULKHEAD_SHIM_DAEMON_STREAM_TARGET_H_

#include <memory>
#include <string>
#include <vector>

#include "shim/pods/pod_service.h"
#include "shim/streaming/target.h"

namespace bulkhead::daemon {

// The pods as what clients of streams are connected to.
class StreamTarget final : public streaming::Target {
 public:
  explicit StreamTarget(pods::PodService& pods) : pods_(pods) {}

  absl::Status CheckContainer(const std::string& container_id) override {
    return pods_.CheckExec(container_id);
  }
  absl::Status CheckPod(const std::string& pod_id) override {
    return pods_.CheckPortForward(pod_id);
  }
  absl::StatusOr<std::unique_ptr<pods::AttachedProcess>> Exec(
      const std::string& container_id, const std::vector<std::string>& command,
      const pods::StreamSelection& streams) override {
    return pods_.Exec(container_id, command, streams);
  }
  absl::StatusOr<std::unique_ptr<pods::AttachedProcess>> Attach(
      const std::string& container_id, const pods::StreamSelection& streams) override {
    return pods_.Attach(container_id, streams);
  }
  absl::StatusOr<UniqueFd> Connect(const std::string& pod_id, uint16_t port) override {
    return pods_.Connect(pod_id, port);
  }

 private:
  pods::PodService& pods_;
};

}  // namespace bulkhead::daemon

#endif  // BULKHEAD_SHIM_DAEMON_STREAM_TARGET_H_
