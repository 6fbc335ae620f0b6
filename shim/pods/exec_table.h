#ifndef BULKHEAD_SHIM_PODS_EXEC_TABLE_H_
#define BULKHEAD_SHIM_PODS_EXEC_TABLE_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "absl/status/statusor.h"
#include "proto/supervisor.pb.h"
#include "shim/pods/host.h"

namespace bulkhead::pods {

// The commands that run in one pod, by the number that the supervisor gave them. An end can be
// told before the answer to the start is read; it is kept until then. Thread safe.
class ExecTable : public std::enable_shared_from_this<ExecTable> {
 public:
  using SignalFunction = std::function<absl::Status(int signal, std::chrono::milliseconds timeout)>;

  // Around a start: Begin before it is sent, then Finish with the number, or Abandon.
  void Begin();
  absl::StatusOr<std::unique_ptr<ExecProcess>> Finish(uint64_t id, SignalFunction signal);
  void Abandon();

  void OnExited(uint64_t id, const supervisor::ExitRecord& exit);
  // All that run are told so.
  void OnLost();

 private:
  class Process;
  struct Entry;
  void EndStart();
  void Forget(uint64_t id);

  std::mutex mutex_;
  int starting_ = 0;
  bool lost_ = false;
  std::map<uint64_t, supervisor::ExitRecord> early_;  // Only while something is starting.
  std::map<uint64_t, Entry*> running_;                // Owned by their processes.
};

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_EXEC_TABLE_H_
