#ifndef BULKHEAD_TESTS_UNIT_STREAMING_PROCESS_TARGET_H_
#define BULKHEAD_TESTS_UNIT_STREAMING_PROCESS_TARGET_H_

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "shim/streaming/target.h"

namespace bulkhead::streaming {

// Commands run as processes of this machine, and ports are those of its own localhost: streams
// as real as in a container, without one.
class ProcessTarget : public Target {
 public:
  absl::Status CheckContainer(const std::string& container_id) override;
  absl::Status CheckPod(const std::string& pod_id) override;
  absl::StatusOr<std::unique_ptr<pods::AttachedProcess>> Exec(
      const std::string& container_id, const std::vector<std::string>& command,
      const pods::StreamSelection& streams) override;
  // To a shell that runs the text `attach_script`.
  absl::StatusOr<std::unique_ptr<pods::AttachedProcess>> Attach(
      const std::string& container_id, const pods::StreamSelection& streams) override;
  absl::StatusOr<UniqueFd> Connect(const std::string& pod_id, uint16_t port) override;

  std::string attach_script = "cat";
  std::atomic<int> running = 0;  // Processes whose client's part has not ended.

  std::vector<pods::TerminalSize> sizes() const;

  // Exec and Connect of the id "hung" wait for this.
  void LetGo();
  std::atomic<int> hanging = 0;
  std::atomic<int> calls = 0;  // Of Exec and Connect.

 private:
  void HangIf(const std::string& id);

  std::atomic<bool> let_go_ = false;
  friend class ChildProcess;
  mutable std::mutex mutex_;
  std::vector<pods::TerminalSize> sizes_;
};

}  // namespace bulkhead::streaming

#endif  // BULKHEAD_TESTS_UNIT_STREAMING_PROCESS_TARGET_H_
