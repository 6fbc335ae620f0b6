#ifndef BULKHEAD_RUNTIME_SUPERVISOR_CONTAINERS_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_CONTAINERS_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/state.pb.h"
#include "proto/supervisor.pb.h"
#include "runtime/isolation/pod_namespaces.h"
#include "runtime/isolation/root.h"
#include "runtime/kernel/fd.h"
#include "runtime/supervisor/child_process.h"
#include "runtime/supervisor/event_loop.h"
#include "runtime/supervisor/log_desk.h"
#include "runtime/supervisor/pod_oom_kills.h"
#include "runtime/supervisor/server.h"

namespace bulkhead::supervisor {

// One container of the pod:
//
//   PREPARED --Create--> (launching) --ready--> CREATED --Start--> RUNNING --end--> EXITED
//      ^--------------------- failed --'           '---- killed before Start -------'
struct Container {
  std::string id;
  ContainerState::Phase phase = ContainerState::PREPARED;
  isolation::PreparedRoot root;
  std::unique_ptr<ChildProcess> process;  // from Create to EXITED
  // What attaching gives out: the writing end of its standard input, where that is kept open, or
  // its terminal's master.
  UniqueFd input;
  bool terminal = false;
  UniqueFd exit_record, oom_events;
  int64_t started_at = 0;  // ns since the epoch
  ExitRecord exit;
  bool exit_reported = false;
  LogLoss loss;
  ReplyTo launch;   // the Create or Start that waits
  ReplyTo removal;  // the Remove that waits for its end
};

// The containers of the pod and the requests about them. A function answers its request itself,
// now or later, through the server.
class Containers {
 public:
  Containers(EventLoop& loop, Server& server, Graveyard& graveyard);

  void Prepare(const ReplyTo& to, const plan::RootPlan& plan, std::vector<UniqueFd> fds,
               const isolation::PodNamespaces& pod);
  void Create(const ReplyTo& to, const plan::LaunchPlan& plan, std::vector<UniqueFd> fds,
              const isolation::PodNamespaces& pod);
  void Start(const ReplyTo& to, const std::string& id);
  void Signal(const ReplyTo& to, const SignalContainer& request);
  void Remove(const ReplyTo& to, const std::string& id);
  void ReopenLog(const ReplyTo& to, const std::string& id, std::vector<UniqueFd> fds);
  void Attach(const ReplyTo& to, const supervisor::Attach& request, std::vector<UniqueFd> fds);

  // FAILED_PRECONDITION unless it runs.
  absl::StatusOr<const Container*> FindRunning(const std::string& id) const;
  // One that has a process; empty when there is none.
  std::string AnyAlive() const;
  // Whether it is the process of one.
  bool Owns(pid_t pid) const;
  void Describe(HelloReply& hello) const;

  LogDesk& logs() { return logs_; }
  // While the logs are paused.
  void Save(state::State& state);
  absl::Status Restore(const state::State& state);

 private:
  absl::StatusOr<Container*> Find(const std::string& id);
  absl::Status DoPrepare(const plan::RootPlan& plan, const std::vector<UniqueFd>& fds,
                         const isolation::PodNamespaces& pod);
  absl::Status DoCreate(const ReplyTo& to, const plan::LaunchPlan& plan, std::vector<UniqueFd>& fds,
                        const isolation::PodNamespaces& pod);
  absl::Status DoStart(const ReplyTo& to, const std::string& id);
  absl::Status DoSignal(const SignalContainer& request);
  absl::Status DoRemove(const ReplyTo& to, const std::string& id);
  absl::Status DoReopenLog(const ReplyTo& to, const std::string& id, std::vector<UniqueFd> fds);
  absl::Status DoAttach(const ReplyTo& to, const supervisor::Attach& request,
                        std::vector<UniqueFd> fds);
  // The output is being copied.
  absl::Status FinishAttach(const ReplyTo& to, const supervisor::Attach& request);

  // `procfs` is the pod's where it has a user namespace, else -1.
  ChildProcess::Handlers HandlersOf(const std::string& id, int procfs);
  void OnReady(Container& container, const absl::Status& launched, int procfs);
  absl::Status TakeOwnRoot(Container& container, int procfs);
  void OnExecuted(Container& container, const absl::Status& status);
  void OnEnd(Container& container, Ended ended);
  // What the counters of containers that have not ended have.
  uint64_t LivingOomKills() const;
  void FinishRemoval(Container& container);
  void OnDrained(const std::string& id);
  void Answer(ReplyTo& to, const absl::Status& status, Reply reply = {});

  Server& server_;
  EventLoop& loop_;
  Graveyard& graveyard_;
  std::map<std::string, Container> containers_;
  LogDesk logs_;
  PodOomKills pod_oom_kills_;
};

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_CONTAINERS_H_
