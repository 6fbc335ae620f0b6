#ifndef BULKHEAD_RUNTIME_SUPERVISOR_CHILD_PROCESS_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_CHILD_PROCESS_H_

#include <sys/epoll.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/state.pb.h"
#include "runtime/isolation/launch.h"
#include "runtime/kernel/fd.h"
#include "runtime/kernel/shared_pid.h"
#include "runtime/supervisor/event_loop.h"

namespace bulkhead::supervisor {

// How a process ended: the exit status, or 128 + signal.
struct Ended {
  int code = 0;
  int signal = 0;  // 0 when it was not ended by one
};

// What to watch a pidfd for. Edge-triggered: one that another process traces has ended and cannot
// be reaped before its tracer did, which is told anew; until then it would keep the loop spinning.
inline constexpr uint32_t kEndEvents = EPOLLIN | EPOLLET;

// Reaps the process of a pidfd; UNAVAILABLE while it runs, or its tracer has not reaped it.
absl::StatusOr<Ended> Reap(int pidfd);

// A process on its way through its launch (isolation/launch.h) to its end, and its successor, which
// takes its place.
class ChildProcess {
 public:
  using Stage = state::Process::Stage;

  // Called in this order, each at most once; only on_end comes in any case. Each may destroy
  // the ChildProcess.
  struct Handlers {
    // All is prepared, or the launch failed.
    std::function<void(const absl::Status&)> on_ready;
    // After Release: the program runs, or the launch failed.
    std::function<void(const absl::Status&)> on_executed;
    // It has ended and was reaped.
    std::function<void(Ended)> on_end;
  };

  // All of `launched` but its terminal.
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Watch(EventLoop& loop,
                                                             isolation::LaunchedProcess launched,
                                                             Stage stage, Handlers handlers);
  // Takes the descriptors in `state` over.
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Restore(EventLoop& loop,
                                                               const state::Process& state,
                                                               Handlers handlers);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Of its successor once there is one.
  pid_t pid() const { return successor_.Get() != 0 ? successor_.Get() : pid_; }
  // Whether it is to be reaped by this.
  bool Owns(pid_t pid) const { return pid == pid_ || pid == successor_.Get(); }
  int pidfd() const { return pidfd_.get(); }
  Stage stage() const { return stage_; }
  state::Process Save() const;

  // Lets it execute its program; FAILED_PRECONDITION unless its stage is READY.
  absl::Status Release();
  // NOT_FOUND when it has ended. A successor that is being made is killed with it.
  absl::Status Signal(int signal);
  // Gives the process up; it must still be reaped.
  UniqueFd Abandon();

 private:
  ChildProcess(EventLoop& loop, isolation::LaunchedProcess launched, Stage stage,
               Handlers handlers);
  absl::Status WatchPidfd();
  void Kill();
  // Goes on with the successor, once there is one. Its predecessor is reaped like any stray child.
  absl::Status Follow();
  // It was killed, and cannot be seen to end: it is reaped like a stray child.
  void Lose(const absl::Status& why);
  void OnControl();
  void OnListening();
  void OnPidfd();
  void CloseControl();
  void Fail(const absl::Status& status);

  EventLoop& loop_;
  pid_t pid_;
  UniqueFd pidfd_;
  UniqueFd control_;
  isolation::SeccompAgent agent_;
  SharedPid successor_;
  bool killed_ = false;
  Stage stage_;
  Handlers handlers_;
  // Whether *this was destroyed by a handler is seen through it.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// Reaps processes that nobody waits for any more.
class Graveyard {
 public:
  explicit Graveyard(EventLoop& loop) : loop_(loop) {}
  ~Graveyard();
  Graveyard(const Graveyard&) = delete;
  Graveyard& operator=(const Graveyard&) = delete;

  void Add(UniqueFd pidfd);
  void Save(state::State& state) const;

 private:
  EventLoop& loop_;
  std::map<int, UniqueFd> pidfds_;
};

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_CHILD_PROCESS_H_
