#include "runtime/supervisor/containers.h"

#include <fcntl.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "runtime/isolation/launch.h"
#include "runtime/kernel/status.h"
#include "runtime/supervisor/clock.h"
#include "runtime/supervisor/exit_record.h"
#include "runtime/supervisor/saved_fd.h"
#include "runtime/supervisor/streams.h"
#include "runtime/supervisor/taken_fd.h"

namespace bulkhead::supervisor {
namespace {

const char* NameOf(ContainerState::Phase phase) {
  switch (phase) {
    case ContainerState::PREPARED:
      return "prepared";
    case ContainerState::CREATED:
      return "created";
    case ContainerState::RUNNING:
      return "running";
    default:
      return "exited";
  }
}

absl::Status WrongPhase(const Container& container) {
  const char* launching =
      container.phase == ContainerState::PREPARED && container.process ? " and being created" : "";
  return absl::FailedPreconditionError(
      absl::StrCat("container ", container.id, " is ", NameOf(container.phase), launching));
}

// In a user namespace a container has a copy of the mount namespace that its root was assembled
// in, and with it another root.
int OwnProcfs(const isolation::PodNamespaces& pod) {
  return pod.user_namespace.valid() ? pod.procfs.get() : -1;
}

}  // namespace

Containers::Containers(EventLoop& loop, Server& server, Graveyard& graveyard)
    : server_(server), loop_(loop), graveyard_(graveyard), logs_(loop, [this](const LogLoss& loss) {
        const auto found = containers_.find(loss.id());
        if (found == containers_.end()) return;
        found->second.loss = loss;
        Event event;
        *event.mutable_log_loss() = loss;
        server_.Emit(std::move(event));
      }) {}

absl::StatusOr<Container*> Containers::Find(const std::string& id) {
  const auto found = containers_.find(id);
  if (found == containers_.end()) {
    return absl::NotFoundError(absl::StrCat("no container ", id, " in this pod"));
  }
  return &found->second;
}

void Containers::Answer(ReplyTo& to, const absl::Status& status, Reply reply) {
  const ReplyTo waiting = std::exchange(to, {});
  if (!status.ok()) return server_.Fail(waiting, status);
  server_.Answer(waiting, std::move(reply));
}

void Containers::Prepare(const ReplyTo& to, const plan::RootPlan& plan, std::vector<UniqueFd> fds,
                         const isolation::PodNamespaces& pod) {
  if (absl::Status s = DoPrepare(plan, fds, pod); !s.ok()) return server_.Fail(to, s);
  std::vector<UniqueFd> root;
  const int number = containers_[plan.container_id()].root.root.get();
  root.emplace_back(fcntl(number, F_DUPFD_CLOEXEC, 3));
  if (!root[0].valid()) return server_.Fail(to, ErrnoStatus(errno, "duplicate the root"));
  server_.Answer(to, {}, std::move(root));
}

absl::Status Containers::DoPrepare(const plan::RootPlan& plan, const std::vector<UniqueFd>& fds,
                                   const isolation::PodNamespaces& pod) {
  const std::string& id = plan.container_id();
  if (id.empty()) return absl::InvalidArgumentError("container_id: empty");
  const absl::StatusOr<Container*> known = Find(id);
  if (known.ok() && ((*known)->phase != ContainerState::PREPARED || (*known)->process)) {
    return WrongPhase(**known);
  }
  absl::StatusOr<isolation::PreparedRoot> root = isolation::AssembleRoot(plan, fds, pod);
  if (!root.ok()) return root.status();
  Container& container = containers_[id];
  container.id = id;
  container.root = *std::move(root);
  return absl::OkStatus();
}

void Containers::Create(const ReplyTo& to, const plan::LaunchPlan& plan, std::vector<UniqueFd> fds,
                        const isolation::PodNamespaces& pod) {
  if (absl::Status s = DoCreate(to, plan, fds, pod); !s.ok()) server_.Fail(to, s);
}

absl::Status Containers::DoCreate(const ReplyTo& to, const plan::LaunchPlan& plan,
                                  std::vector<UniqueFd>& fds, const isolation::PodNamespaces& pod) {
  absl::StatusOr<Container*> found = Find(plan.container_id());
  if (!found.ok()) return found.status();
  Container& container = **found;
  if (container.phase != ContainerState::PREPARED || container.process) {
    return WrongPhase(container);
  }
  if (absl::Status s = logs_.Start(); !s.ok()) return s;
  auto log = Take(fds, plan.streams().has_log(), plan.streams().log(), "streams.log");
  auto record = Take(fds, plan.has_exit_record(), plan.exit_record(), "exit_record");
  auto events = Take(fds, plan.has_oom_events(), plan.oom_events(), "oom_events");
  auto streams = MakeStreams(plan.streams(), plan.process().terminal());
  auto pod_events = Take(fds, plan.has_pod_oom_events(), plan.pod_oom_events(), "pod_oom_events");
  for (const absl::Status& s :
       {log.status(), record.status(), events.status(), pod_events.status(), streams.status()}) {
    if (!s.ok()) return s;
  }
  auto launched = isolation::LaunchContainer(plan, fds, container.root, pod, streams->Borrow());
  if (!launched.ok()) return launched.status();
  const bool terminal = plan.process().terminal();
  UniqueFd input =
      terminal ? Duplicate(launched->terminal.get()) : std::move(streams->stdin_writer);
  if (terminal && !input.valid()) return ErrnoStatus(errno, "duplicate the terminal");
  UniqueFd master = std::move(launched->terminal);
  auto process = ChildProcess::Watch(loop_, *std::move(launched), state::Process::PREPARING,
                                     HandlersOf(container.id, OwnProcfs(pod)));
  if (!process.ok()) return process.status();
  container.process = *std::move(process);
  container.exit_record = *std::move(record);
  pod_oom_kills_.Begin(*std::move(pod_events), LivingOomKills());
  container.oom_events = *std::move(events);
  container.terminal = terminal;
  container.input = std::move(input);
  container.launch = to;
  state::Log output;
  output.set_terminal(terminal);
  UniqueFd& out = container.terminal ? master : streams->out_reader;
  output.set_out(SaveFd(out.release()));
  output.set_err(SaveFd(streams->err_reader.release()));
  output.set_file(SaveFd(log->release()));
  logs_.Add(container.id, output);
  return absl::OkStatus();
}

absl::Status Containers::TakeOwnRoot(Container& container, int procfs) {
  if (procfs < 0) return absl::OkStatus();
  // Ours and not reaped, and nothing of the container's has run in it.
  const std::string path = absl::StrCat(container.process->pid(), "/root");
  UniqueFd root(openat(procfs, path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) return ErrnoStatus(errno, "open the container's root");
  container.root.root = std::move(root);
  return absl::OkStatus();
}

ChildProcess::Handlers Containers::HandlersOf(const std::string& id, int procfs) {
  return {
      .on_ready = [this, id,
                   procfs](const absl::Status& s) { OnReady(containers_[id], s, procfs); },
      .on_executed = [this, id](const absl::Status& s) { OnExecuted(containers_[id], s); },
      .on_end = [this, id](Ended ended) { OnEnd(containers_[id], ended); },
  };
}

void Containers::OnReady(Container& container, const absl::Status& launched, int procfs) {
  const absl::Status status = launched.ok() ? TakeOwnRoot(container, procfs) : launched;
  if (!status.ok()) {
    // Back to where Create began; a retry makes streams of its own.
    graveyard_.Add(container.process->Abandon());
    container.process.reset();
    container.input.reset();
    logs_.Remove(container.id);
    Answer(container.launch, status);
    return FinishRemoval(container);
  }
  container.phase = ContainerState::CREATED;
  // Its process holds the namespace now.
  container.root.mount_namespace.reset();
  Reply reply;
  reply.mutable_create_container()->set_pid(container.process->pid());
  Answer(container.launch, absl::OkStatus(), std::move(reply));
}

void Containers::Start(const ReplyTo& to, const std::string& id) {
  if (absl::Status s = DoStart(to, id); !s.ok()) server_.Fail(to, s);
}

absl::Status Containers::DoStart(const ReplyTo& to, const std::string& id) {
  absl::StatusOr<Container*> container = Find(id);
  if (!container.ok()) return container.status();
  if ((*container)->phase != ContainerState::CREATED || (*container)->launch.id() != 0) {
    return WrongPhase(**container);
  }
  if (absl::Status s = (*container)->process->Release(); !s.ok()) return s;
  (*container)->launch = to;
  return absl::OkStatus();
}

void Containers::OnExecuted(Container& container, const absl::Status& status) {
  // Failed, it ends by itself and is EXITED then.
  if (!status.ok()) return Answer(container.launch, status);
  container.phase = ContainerState::RUNNING;
  container.started_at = Now();
  Reply reply;
  reply.mutable_start_container()->set_started_at(container.started_at);
  reply.mutable_start_container()->set_pid(container.process->pid());
  Answer(container.launch, absl::OkStatus(), std::move(reply));
}

void Containers::OnEnd(Container& container, Ended ended) {
  container.phase = ContainerState::EXITED;
  container.exit.set_code(ended.code);
  container.exit.set_signal(ended.signal);
  container.exit.set_started_at(container.started_at);
  container.exit.set_finished_at(Now());
  const std::optional<uint64_t> own = ReadOomKills(container.oom_events.get());
  container.oom_events.reset();
  container.exit.set_oom_killed(pod_oom_kills_.OnEnd(own, LivingOomKills()) > 0);
  // Before anybody is told. Where it cannot be written the table still has it.
  if (container.exit_record.valid()) {
    static_cast<void>(WriteExitRecord(container.exit_record.get(), container.exit));
  }
  container.exit_record.reset();
  container.input.reset();
  container.root = {};
  container.process.reset();
  if (container.removal.id() != 0) return FinishRemoval(container);
  logs_.Drain(container.id, [this, id = container.id] { OnDrained(id); });
}

uint64_t Containers::LivingOomKills() const {
  uint64_t kills = 0;
  for (const auto& [id, container] : containers_) {
    kills += ReadOomKills(container.oom_events.get()).value_or(0);
  }
  return kills;
}

void Containers::FinishRemoval(Container& container) {
  if (container.removal.id() == 0) return;
  const ReplyTo removal = container.removal;
  logs_.Remove(container.id);
  containers_.erase(container.id);
  server_.Answer(removal, {});
}

void Containers::OnDrained(const std::string& id) {
  const absl::StatusOr<Container*> container = Find(id);
  if (!container.ok()) return;
  (*container)->exit_reported = true;
  Event event;
  event.mutable_container_exited()->set_id(id);
  *event.mutable_container_exited()->mutable_exit() = (*container)->exit;
  server_.Emit(std::move(event));
}

void Containers::Signal(const ReplyTo& to, const SignalContainer& request) {
  if (absl::Status s = DoSignal(request); !s.ok()) return server_.Fail(to, s);
  server_.Answer(to, {});
}

absl::Status Containers::DoSignal(const SignalContainer& request) {
  absl::StatusOr<Container*> container = Find(request.id());
  if (!container.ok()) return container.status();
  if ((*container)->phase == ContainerState::EXITED) {
    return absl::NotFoundError(absl::StrCat("container ", request.id(), " has ended"));
  }
  if ((*container)->phase == ContainerState::PREPARED) return WrongPhase(**container);
  return (*container)->process->Signal(request.signal());
}

void Containers::Remove(const ReplyTo& to, const std::string& id) {
  if (absl::Status s = DoRemove(to, id); !s.ok()) server_.Fail(to, s);
}

absl::Status Containers::DoRemove(const ReplyTo& to, const std::string& id) {
  absl::StatusOr<Container*> found = Find(id);
  if (!found.ok()) return found.status();
  Container& container = **found;
  const bool starting =
      container.process != nullptr && container.process->stage() == state::Process::RELEASED;
  if (container.phase == ContainerState::RUNNING || starting) return WrongPhase(container);
  if (container.process != nullptr) {
    // It never ran; the answer comes once it is gone, and its mounts with it.
    container.removal = to;
    return container.process->Signal(SIGKILL);
  }
  logs_.Remove(id);
  containers_.erase(id);
  server_.Answer(to, {});
  return absl::OkStatus();
}

void Containers::ReopenLog(const ReplyTo& to, const std::string& id, std::vector<UniqueFd> fds) {
  if (absl::Status s = DoReopenLog(to, id, std::move(fds)); !s.ok()) server_.Fail(to, s);
}

absl::Status Containers::DoReopenLog(const ReplyTo& to, const std::string& id,
                                     std::vector<UniqueFd> fds) {
  absl::StatusOr<Container*> container = Find(id);
  if (!container.ok()) return container.status();
  if (fds.size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("a new log file is one descriptor, not ", fds.size()));
  }
  if ((*container)->phase == ContainerState::PREPARED) return WrongPhase(**container);
  logs_.Reopen(id, std::move(fds[0]), [this, to] { server_.Answer(to, {}); });
  return absl::OkStatus();
}

absl::StatusOr<const Container*> Containers::FindRunning(const std::string& id) const {
  const auto found = containers_.find(id);
  if (found == containers_.end()) {
    return absl::NotFoundError(absl::StrCat("no container ", id, " in this pod"));
  }
  if (found->second.phase != ContainerState::RUNNING) return WrongPhase(found->second);
  return &found->second;
}

std::string Containers::AnyAlive() const {
  for (const auto& [id, container] : containers_) {
    if (container.process != nullptr) return id;
  }
  return "";
}

bool Containers::Owns(pid_t pid) const {
  return std::any_of(containers_.begin(), containers_.end(), [pid](const auto& entry) {
    return entry.second.process != nullptr && entry.second.process->Owns(pid);
  });
}

void Containers::Describe(HelloReply& hello) const {
  for (const auto& [id, container] : containers_) {
    ContainerState& state = *hello.add_containers();
    state.set_id(id);
    state.set_phase(container.phase);
    const bool created = container.phase != ContainerState::PREPARED;
    if (created && container.process != nullptr) state.set_pid(container.process->pid());
    state.set_started_at(container.started_at);
    state.set_released(container.phase == ContainerState::CREATED &&
                       container.process->stage() == state::Process::RELEASED);
    if (container.phase == ContainerState::EXITED) *state.mutable_exit() = container.exit;
    if (container.loss.lines() > 0 || container.loss.unfinished()) {
      *state.mutable_log_loss() = container.loss;
    }
  }
}

void Containers::Save(state::State& state) {
  state.set_pod_oom_events(SaveFd(pod_oom_kills_.events()));
  state.set_told_oom_kills(pod_oom_kills_.told());
  const std::map<std::string, state::Log> logs = logs_.Save();
  for (const auto& [id, container] : containers_) {
    state::Container& saved = *state.add_containers();
    saved.set_id(id);
    saved.set_phase(container.phase);
    saved.set_mount_namespace(SaveFd(container.root.mount_namespace.get()));
    saved.set_root(SaveFd(container.root.root.get()));
    if (container.process != nullptr) *saved.mutable_process() = container.process->Save();
    saved.set_stdin(SaveFd(container.input.get()));
    saved.set_terminal(container.terminal);
    saved.set_exit_record(SaveFd(container.exit_record.get()));
    saved.set_oom_events(SaveFd(container.oom_events.get()));
    saved.set_started_at(container.started_at);
    if (container.phase == ContainerState::EXITED) *saved.mutable_exit() = container.exit;
    saved.set_exit_reported(container.exit_reported);
    if (container.loss.lines() > 0) *saved.mutable_loss() = container.loss;
    *saved.mutable_launch() = container.launch;
    *saved.mutable_removal() = container.removal;
    if (const auto log = logs.find(id); log != logs.end()) *saved.mutable_log() = log->second;
  }
}

absl::Status Containers::Restore(const state::State& state) {
  pod_oom_kills_.Restore(RestoreFd(state.pod_oom_events()), state.told_oom_kills());
  for (const state::Container& saved : state.containers()) {
    Container& container = containers_[saved.id()];
    container.id = saved.id();
    container.phase = saved.phase();
    container.root.mount_namespace = RestoreFd(saved.mount_namespace());
    container.root.root = RestoreFd(saved.root());
    container.input = RestoreFd(saved.stdin());
    container.terminal = saved.terminal() || saved.log().terminal();
    // A program from before there was attaching kept none.
    if (container.terminal && !container.input.valid() && saved.log().out() > 0) {
      container.input = Duplicate(saved.log().out());
    }
    container.exit_record = RestoreFd(saved.exit_record());
    container.oom_events = RestoreFd(saved.oom_events());
    container.started_at = saved.started_at();
    container.exit = saved.exit();
    container.exit_reported = saved.exit_reported();
    container.loss = saved.loss();
    container.launch = saved.launch();
    container.removal = saved.removal();
    if (saved.has_log()) {
      if (absl::Status s = logs_.Start(); !s.ok()) return s;
      logs_.Add(saved.id(), saved.log());
    }
    if (saved.has_process()) {
      const int procfs = state.pod().user_namespace() != 0 ? state.pod().procfs() : -1;
      auto process = ChildProcess::Restore(loop_, saved.process(), HandlersOf(saved.id(), procfs));
      if (!process.ok()) return process.status();
      container.process = *std::move(process);
    }
    if (container.phase == ContainerState::EXITED && !container.exit_reported) {
      logs_.Drain(saved.id(), [this, id = saved.id()] { OnDrained(id); });
    }
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::supervisor
