// Attach: a client at the streams of a container's first process.
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"
#include "shim/pods/process_streams.h"
#include "shim/pods/service.h"

namespace bulkhead::pods {
namespace {

// What a client may be behind before it is detached, in bytes: /proc/sys/fs/pipe-max-size as the
// kernel sets it.
constexpr int kAttachPipeSize = 1 << 20;
// Of one container; each costs its supervisor two descriptors, and memory as it falls behind.
constexpr size_t kMaxClients = 64;

class AttachedContainer final : public AttachedProcess {
 public:
  AttachedContainer(ProcessStreams streams, UniqueFd terminal, std::shared_ptr<ContainerEnd> end)
      : streams_(std::move(streams)), terminal_(std::move(terminal)), end_(std::move(end)) {}

  ProcessStreams TakeStreams() override { return std::exchange(streams_, {}); }
  absl::Status Resize(const TerminalSize& size) override { return ResizeTerminal(terminal_, size); }
  int ended_fd() const override { return end_->fd(); }
  absl::StatusOr<int32_t> ExitCode() override { return end_->ExitCode(); }

 private:
  ProcessStreams streams_;
  UniqueFd terminal_;
  const std::shared_ptr<ContainerEnd> end_;
};

absl::StatusOr<Pipe> MakeOutputPipe() {
  absl::StatusOr<Pipe> pipe = MakePipe(OurEnd::kRead);
  // Where it cannot be enlarged, the client may be less behind.
  if (pipe.ok()) fcntl(pipe->read.get(), F_SETPIPE_SZ, kAttachPipeSize);
  return pipe;
}

absl::Status CheckSelection(const ContainerRecord& container, const StreamSelection& streams) {
  if (streams.terminal != container.spec.tty) {
    return absl::InvalidArgumentError(
        absl::StrCat("tty: container ", container.id, container.spec.tty ? " has" : " has not",
                     " a terminal, ", streams.terminal ? "one" : "none", " is asked for"));
  }
  if (streams.standard_input && !container.spec.stdin) {
    return absl::FailedPreconditionError(
        absl::StrCat("stdin: container ", container.id, " was made without standard input"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<AttachedProcess>> Service::Attach(const std::string& id,
                                                                 const StreamSelection& selection) {
  const absl::StatusOr<RunningContainer> running = FindRunning(id);
  if (!running.ok()) return running.status();
  const ContainerRecord& container = running->container;
  absl::Status status = CheckSelection(container, selection);
  if (!status.ok()) return status;
  AttachStart start{.id = container.id,
                    .in = selection.standard_input,
                    .in_once = container.spec.stdin_once && !container.spec.tty};
  ProcessStreams streams;
  if (selection.standard_output) {
    absl::StatusOr<Pipe> out = MakeOutputPipe();
    if (!out.ok()) return out.status();
    streams.out = std::move(out->read);
    start.out = std::move(out->write);
  }
  // A terminal's output is all standard output.
  if (selection.standard_error && !container.spec.tty) {
    absl::StatusOr<Pipe> err = MakeOutputPipe();
    if (!err.ok()) return err.status();
    streams.err = std::move(err->read);
    start.err = std::move(err->write);
  }
  // Before the supervisor is asked, so that no end is missed.
  const auto end = WatchEnd(*running->found.pod, *running->found.container);
  if (!end.ok()) return end.status();
  absl::StatusOr<UniqueFd> input = running->supervisor->Attach(std::move(start));
  if (!input.ok()) return Annotate(input.status(), "attach");
  UniqueFd terminal;
  if (container.spec.tty) {
    terminal = *std::move(input);
    if (selection.standard_input) {
      absl::StatusOr<UniqueFd> in = Duplicate(terminal);
      if (!in.ok()) return in.status();
      streams.in = *std::move(in);
    }
  } else if (selection.standard_input) {
    // The end that the supervisor keeps for other clients is the same description.
    if (fcntl(input->get(), F_SETFL, O_NONBLOCK) != 0) return ErrnoStatus(errno, "fcntl");
    streams.in = *std::move(input);
  }
  return std::make_unique<AttachedContainer>(std::move(streams), std::move(terminal), *end);
}

absl::StatusOr<std::shared_ptr<ContainerEnd>> Service::WatchEnd(Pod& pod, Container& container) {
  auto end = ContainerEnd::Create();
  if (!end.ok()) return end.status();
  const std::lock_guard lock(pod.mutex);
  if (container.record.phase == ContainerPhase::kExited) {
    return absl::FailedPreconditionError(
        absl::StrCat("container ", container.record.id, " is not running"));
  }
  // Those of clients that have gone.
  std::erase_if(container.ends, [](const auto& gone) { return gone.expired(); });
  if (container.ends.size() >= kMaxClients) {
    return absl::ResourceExhaustedError(absl::StrCat("container ", container.record.id, " has ",
                                                     kMaxClients, " attached clients already"));
  }
  container.ends.push_back(*end);
  return end;
}

}  // namespace bulkhead::pods
