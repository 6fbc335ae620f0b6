#ifndef BULKHEAD_RUNTIME_SUPERVISOR_POD_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_POD_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "proto/state.pb.h"
#include "proto/supervisor.pb.h"
#include "runtime/isolation/pod_namespaces.h"
#include "runtime/kernel/fd.h"
#include "runtime/supervisor/child_process.h"
#include "runtime/supervisor/containers.h"
#include "runtime/supervisor/event_loop.h"
#include "runtime/supervisor/execs.h"
#include "runtime/supervisor/server.h"
#include "runtime/supervisor/stray_reaper.h"

namespace bulkhead::supervisor {

// The pod that this process supervises: takes the daemon's requests to where they are handled.
class Pod {
 public:
  Pod(EventLoop& loop, std::string id, UniqueFd listener);

  // A new supervisor's beginning: listens, and takes its first connection.
  absl::Status Begin(UniqueFd connection);
  // A re-executed one's: takes everything over and answers the Reexec.
  absl::Status Resume(const state::State& state);

 private:
  void Handle(const ReplyTo& to, const Request& request, std::vector<UniqueFd> fds);
  void SetUp(const ReplyTo& to, const SetupPod& request, const std::vector<UniqueFd>& fds);
  // Reaps the PID 1 of a shared PID namespace and tells of its end.
  void WatchPid1();
  void Shutdown(const ReplyTo& to);
  HelloReply Describe() const;
  void OnDisconnect();

  void Reexec(const ReplyTo& to, std::vector<UniqueFd> fds);
  // With the log writer standing still. Returns only when the takeover failed.
  absl::Status Become(const ReplyTo& to, int program);
  state::State Save(const ReplyTo& reexec);

  EventLoop& loop_;
  std::string id_;
  Graveyard graveyard_;
  Server server_;
  Containers containers_;
  Execs execs_;
  std::optional<isolation::PodNamespaces> namespaces_;
  StrayReaper strays_;
};

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_POD_H_
