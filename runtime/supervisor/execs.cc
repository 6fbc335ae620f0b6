#include "runtime/supervisor/execs.h"

#include <signal.h>

#include <algorithm>
#include <cerrno>

#include "runtime/isolation/launch.h"
#include "runtime/kernel/status.h"
#include "runtime/supervisor/clock.h"
#include "runtime/supervisor/saved_fd.h"

namespace bulkhead::supervisor {

void Execs::Start(const ReplyTo& to, const plan::ExecPlan& plan, const std::vector<UniqueFd>& fds,
                  const Containers& containers, const isolation::PodNamespaces& pod) {
  const absl::Status status = DoStart(to, plan, fds, containers, pod);
  if (!status.ok()) server_.Fail(to, status);
}

absl::Status Execs::DoStart(const ReplyTo& to, const plan::ExecPlan& plan,
                            const std::vector<UniqueFd>& fds, const Containers& containers,
                            const isolation::PodNamespaces& pod) {
  const absl::StatusOr<const Container*> container = containers.FindRunning(plan.container_id());
  if (!container.ok()) return container.status();
  const ChildProcess& first = *(*container)->process;
  auto launched = isolation::LaunchExec(
      plan, fds, {first.pid(), first.pidfd(), (*container)->root.root.get()}, pod);
  if (!launched.ok()) return launched.status();
  const uint64_t id = ++last_id_;
  UniqueFd terminal = std::move(launched->terminal);
  auto process =
      ChildProcess::Watch(loop_, *std::move(launched), state::Process::RELEASED, HandlersOf(id));
  if (!process.ok()) return process.status();
  execs_[id] = {*std::move(process), 0, std::move(terminal), to};
  return absl::OkStatus();
}

ChildProcess::Handlers Execs::HandlersOf(uint64_t id) {
  return {
      .on_ready = [this, id](const absl::Status& s) { OnReady(id, s); },
      .on_executed = [this, id](const absl::Status& s) { OnExecuted(id, s); },
      .on_end = [this, id](Ended ended) { OnEnd(id, ended); },
  };
}

// Of one that an older program began, before a re-exec.
void Execs::OnReady(uint64_t id, const absl::Status& status) {
  if (!status.ok()) return Abandon(id, status);
  const absl::Status released = execs_[id].process->Release();
  if (!released.ok()) Abandon(id, released);
}

void Execs::OnExecuted(uint64_t id, const absl::Status& status) {
  if (!status.ok()) return Abandon(id, status);
  Exec& exec = execs_[id];
  exec.started_at = Now();
  Reply reply;
  reply.mutable_exec()->set_exec_id(id);
  reply.mutable_exec()->set_pid(exec.process->pid());
  std::vector<UniqueFd> fds;
  if (exec.terminal.valid()) fds.push_back(std::move(exec.terminal));
  server_.Answer(exec.launch, std::move(reply), std::move(fds));
}

void Execs::OnEnd(uint64_t id, Ended ended) {
  Event event;
  event.mutable_exec_exited()->set_exec_id(id);
  ExitRecord& exit = *event.mutable_exec_exited()->mutable_exit();
  exit.set_code(ended.code);
  exit.set_signal(ended.signal);
  exit.set_started_at(execs_[id].started_at);
  exit.set_finished_at(Now());
  execs_.erase(id);
  server_.Emit(std::move(event));
}

void Execs::Abandon(uint64_t id, const absl::Status& why) {
  const auto node = execs_.extract(id);
  graveyard_.Add(node.mapped().process->Abandon());
  server_.Fail(node.mapped().launch, why);
}

void Execs::Signal(const ReplyTo& to, const SignalExec& request) {
  const auto found = execs_.find(request.exec_id());
  if (found == execs_.end()) return server_.Fail(to, absl::NotFoundError("the command has ended"));
  // The leader is not reaped yet, so the number is still its group's.
  if (kill(-found->second.process->pid(), request.signal()) == 0) return server_.Answer(to, {});
  server_.Fail(to, errno == ESRCH ? absl::NotFoundError("the command has ended")
                                  : ErrnoStatus(errno, "kill"));
}

void Execs::Cancel(const ReplyTo& to, const CancelExec& request) {
  const auto found = std::find_if(execs_.begin(), execs_.end(), [&](const auto& entry) {
    const ReplyTo& launch = entry.second.launch;
    return launch.connection() == to.connection() && launch.id() == request.request();
  });
  if (found == execs_.end()) return server_.Fail(to, absl::NotFoundError("the command has ended"));
  ChildProcess& process = *found->second.process;
  // It may have been executed meanwhile, or lead no group yet.
  kill(-process.pid(), SIGKILL);
  const absl::Status killed = process.Signal(SIGKILL);
  if (!killed.ok()) return server_.Fail(to, killed);
  server_.Answer(to, {});
}

bool Execs::Owns(pid_t pid) const {
  return std::any_of(execs_.begin(), execs_.end(),
                     [pid](const auto& entry) { return entry.second.process->Owns(pid); });
}

void Execs::Save(state::State& state) const {
  state.set_last_exec_id(last_id_);
  for (const auto& [id, exec] : execs_) {
    state::Exec& saved = *state.add_execs();
    saved.set_id(id);
    *saved.mutable_process() = exec.process->Save();
    saved.set_started_at(exec.started_at);
    *saved.mutable_launch() = exec.launch;
    saved.set_terminal(SaveFd(exec.terminal.get()));
  }
}

absl::Status Execs::Restore(const state::State& state) {
  last_id_ = state.last_exec_id();
  for (const state::Exec& saved : state.execs()) {
    auto process = ChildProcess::Restore(loop_, saved.process(), HandlersOf(saved.id()));
    if (!process.ok()) return process.status();
    execs_[saved.id()] = {*std::move(process), saved.started_at(), RestoreFd(saved.terminal()),
                          saved.launch()};
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::supervisor
