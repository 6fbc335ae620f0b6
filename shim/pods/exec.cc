// Exec: runs a command in a container with its streams in a client's hands.
#include <signal.h>

#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"
#include "shim/pods/ids.h"
#include "shim/pods/process_streams.h"
#include "shim/pods/service.h"

namespace bulkhead::pods {
namespace {

class ExecutedProcess final : public AttachedProcess {
 public:
  ExecutedProcess(ProcessStreams streams, UniqueFd terminal, std::unique_ptr<ExecProcess> process,
                  std::function<void(ExecProcess&)> on_end)
      : streams_(std::move(streams)),
        terminal_(std::move(terminal)),
        process_(std::move(process)),
        on_end_(std::move(on_end)) {}
  ~ExecutedProcess() override {
    // First, so that the command can notice before anything else is done about it.
    streams_ = {};
    terminal_.reset();
    on_end_(*process_);
  }

  ProcessStreams TakeStreams() override { return std::exchange(streams_, {}); }
  absl::Status Resize(const TerminalSize& size) override { return ResizeTerminal(terminal_, size); }
  int ended_fd() const override { return process_->ended_fd(); }
  absl::StatusOr<int32_t> ExitCode() override {
    const absl::StatusOr<supervisor::ExitRecord> exit = process_->Result();
    if (!exit.ok()) return exit.status();
    return exit->code();
  }

 private:
  ProcessStreams streams_;
  UniqueFd terminal_;
  const std::unique_ptr<ExecProcess> process_;
  const std::function<void(ExecProcess&)> on_end_;
};

// Both sides of a command's streams.
struct Ends {
  ProcessStreams ours;
  ProcessStreams theirs;
};

absl::StatusOr<Ends> MakeEnds(const StreamSelection& selection) {
  Ends ends;
  if (selection.terminal) return ends;
  if (selection.standard_input) {
    absl::StatusOr<Pipe> pipe = MakePipe(OurEnd::kWrite);
    if (!pipe.ok()) return pipe.status();
    ends.ours.in = std::move(pipe->write);
    ends.theirs.in = std::move(pipe->read);
  }
  if (selection.standard_output) {
    absl::StatusOr<Pipe> pipe = MakePipe(OurEnd::kRead);
    if (!pipe.ok()) return pipe.status();
    ends.ours.out = std::move(pipe->read);
    ends.theirs.out = std::move(pipe->write);
  }
  if (selection.standard_error) {
    absl::StatusOr<Pipe> pipe = MakePipe(OurEnd::kRead);
    if (!pipe.ok()) return pipe.status();
    ends.ours.err = std::move(pipe->read);
    ends.theirs.err = std::move(pipe->write);
  }
  return ends;
}

absl::Status TakeTerminal(const UniqueFd& master, const StreamSelection& selection,
                          ProcessStreams& streams) {
  if (selection.standard_input) {
    absl::StatusOr<UniqueFd> in = Duplicate(master);
    if (!in.ok()) return in.status();
    streams.in = *std::move(in);
  }
  if (selection.standard_output) {
    absl::StatusOr<UniqueFd> out = Duplicate(master);
    if (!out.ok()) return out.status();
    streams.out = *std::move(out);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Service::RunningContainer> Service::FindRunning(const std::string& id) const {
  absl::StatusOr<FoundContainer> found = registry_.FindContainer(id);
  if (!found.ok()) return found.status();
  RunningContainer running{.found = *std::move(found)};
  Pod& pod = *running.found.pod;
  const std::lock_guard lock(pod.mutex);
  running.container = running.found.container->record;
  running.pod = pod.record;
  running.supervisor = pod.supervisor;
  if (running.container.phase != ContainerPhase::kRunning || running.supervisor == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("container ", running.container.id, " is not running"));
  }
  return running;
}

absl::StatusOr<Service::LaunchedCommand> Service::LaunchCommand(
    const RunningContainer& in, const std::vector<std::string>& command, ExecStreams streams,
    std::optional<Deadline> deadline) {
  if (command.empty()) return absl::InvalidArgumentError("cmd is empty");
  LaunchedCommand launched;
  absl::StatusOr<std::string> leaf =
      host_->CreateExecLeaf(in.container.cgroup, NewId().substr(0, 16));
  // A container that rules over its own cgroup can have made it full (cgroup.max.descendants).
  if (leaf.ok()) {
    launched.leaf = *std::move(leaf);
  } else if (ErrnoOf(leaf.status()) != EAGAIN) {
    return Annotate(leaf.status(), "make a cgroup for the command");
  }
  const auto start = [&] {
    return in.supervisor->Exec({.pod = in.pod,
                                .container = in.container,
                                .command = command,
                                .leaf = launched.leaf,
                                .seccomp_file = SeccompFileOf(*in.found.pod, *in.found.container),
                                .streams = streams,
                                .deadline = deadline});
  };
  absl::StatusOr<StartedExec> started = start();
  if (!started.ok() && !launched.leaf.empty()) {
    // A supervisor that did not answer in time may have started it all the same; what it starts
    // from now on finds no cgroup to start in.
    host_->KillCgroup(launched.leaf, absl::InfinitePast()).IgnoreError();
    leaves_->Release(std::exchange(launched.leaf, {}));
    // Such a container can also have made threaded cgroups in its own: below that nothing else can
    // have processes then.
    if (ErrnoOf(started.status()) == EOPNOTSUPP) started = start();
  }
  if (!started.ok()) return started.status();
  launched.started = *std::move(started);
  return launched;
}

absl::StatusOr<std::unique_ptr<AttachedProcess>> Service::Exec(
    const std::string& id, const std::vector<std::string>& command,
    const StreamSelection& streams) {
  const absl::StatusOr<RunningContainer> running = FindRunning(id);
  if (!running.ok()) return running.status();
  absl::StatusOr<Ends> ends = MakeEnds(streams);
  if (!ends.ok()) return ends.status();
  absl::StatusOr<LaunchedCommand> launched = LaunchCommand(*running, command,
                                                           {.in = ends->theirs.in.get(),
                                                            .out = ends->theirs.out.get(),
                                                            .err = ends->theirs.err.get(),
                                                            .terminal = streams.terminal});
  if (!launched.ok()) return launched.status();
  UniqueFd terminal = std::move(launched->started.terminal);
  absl::Status taken;
  if (streams.terminal) taken = TakeTerminal(terminal, streams, ends->ours);
  auto process = std::make_unique<ExecutedProcess>(
      std::move(ends->ours), std::move(terminal), std::move(launched->started.process),
      [host = host_, leaves = leaves_, leaf = launched->leaf,
       kill = options_.kill_on_disconnect || !taken.ok()](ExecProcess& exec) {
        if (kill && !IsReadable(exec.ended_fd())) KillCommand(*host, leaf, exec);
        if (!leaf.empty()) leaves->Release(leaf);
      });
  if (!taken.ok()) return taken;
  return process;
}

void Service::KillCommand(Host& host, const std::string& leaf, ExecProcess& process) {
  // Not waited for: its leaf is removed when it is empty.
  if (leaf.empty()) {
    process.Signal(SIGKILL, std::chrono::milliseconds(0)).IgnoreError();
  } else {
    host.KillCgroup(leaf, absl::InfinitePast()).IgnoreError();
  }
}

absl::Status Service::CheckExec(const std::string& container_id) {
  return FindRunning(container_id).status();
}

}  // namespace bulkhead::pods
