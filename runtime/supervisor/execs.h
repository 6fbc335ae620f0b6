#ifndef BULKHEAD_RUNTIME_SUPERVISOR_EXECS_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_EXECS_H_

#include <map>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "proto/state.pb.h"
#include "proto/supervisor.pb.h"
#include "runtime/isolation/pod_namespaces.h"
#include "runtime/kernel/fd.h"
#include "runtime/supervisor/child_process.h"
#include "runtime/supervisor/containers.h"
#include "runtime/supervisor/event_loop.h"
#include "runtime/supervisor/server.h"

namespace bulkhead::supervisor {

// Further processes in running containers. Their streams are the daemon's, so that a background
// child that keeps them open concerns nobody here.
class Execs {
 public:
  Execs(EventLoop& loop, Server& server, Graveyard& graveyard)
      : loop_(loop), server_(server), graveyard_(graveyard) {}

  // Answers once the program runs.
  void Start(const ReplyTo& to, const plan::ExecPlan& plan, const std::vector<UniqueFd>& fds,
             const Containers& containers, const isolation::PodNamespaces& pod);

  void Signal(const ReplyTo& to, const SignalExec& request);
  void Cancel(const ReplyTo& to, const CancelExec& request);

  // Whether it is the process of one.
  bool Owns(pid_t pid) const;

  void Save(state::State& state) const;
  absl::Status Restore(const state::State& state);

 private:
  struct Exec {
    std::unique_ptr<ChildProcess> process;
    int64_t started_at = 0;
    UniqueFd terminal;  // the reply's
    ReplyTo launch;
  };

  absl::Status DoStart(const ReplyTo& to, const plan::ExecPlan& plan,
                       const std::vector<UniqueFd>& fds, const Containers& containers,
                       const isolation::PodNamespaces& pod);
  ChildProcess::Handlers HandlersOf(uint64_t id);
  void OnReady(uint64_t id, const absl::Status& status);
  void OnExecuted(uint64_t id, const absl::Status& status);
  void OnEnd(uint64_t id, Ended ended);
  void Abandon(uint64_t id, const absl::Status& why);

  EventLoop& loop_;
  Server& server_;
  Graveyard& graveyard_;
  std::map<uint64_t, Exec> execs_;
  uint64_t last_id_ = 0;
};

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_EXECS_H_
