// Attach: a client gets copies of a container's output, and its standard input.
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"
#include "runtime/supervisor/containers.h"
#include "runtime/supervisor/taken_fd.h"

namespace bulkhead::supervisor {
namespace {

// While the log writer hangs, descriptors must not pile up before it.
constexpr size_t kMostWaiting = 64;

}  // namespace

void Containers::Attach(const ReplyTo& to, const supervisor::Attach& request,
                        std::vector<UniqueFd> fds) {
  if (absl::Status s = DoAttach(to, request, std::move(fds)); !s.ok()) server_.Fail(to, s);
}

absl::Status Containers::DoAttach(const ReplyTo& to, const supervisor::Attach& request,
                                  std::vector<UniqueFd> fds) {
  const absl::StatusOr<const Container*> container = FindRunning(request.id());
  if (!container.ok()) return container.status();
  if (logs_.waiting() >= kMostWaiting) {
    return absl::UnavailableError("the writer of the pod's logs does not get on; a disk may hang");
  }
  auto out = Take(fds, request.has_stdout(), request.stdout(), "stdout");
  if (!out.ok()) return out.status();
  auto err = Take(fds, request.has_stderr(), request.stderr(), "stderr");
  if (!err.ok()) return err.status();
  logs_.Attach(request.id(), *std::move(out), *std::move(err), [this, to, request] {
    if (absl::Status s = FinishAttach(to, request); !s.ok()) server_.Fail(to, s);
  });
  return absl::OkStatus();
}

absl::Status Containers::FinishAttach(const ReplyTo& to, const supervisor::Attach& request) {
  // It may have ended meanwhile; the pipes are closed with its log or by the daemon.
  absl::StatusOr<Container*> found = Find(request.id());
  if (!found.ok()) return found.status();
  Container& container = **found;
  if (container.phase != ContainerState::RUNNING) {
    return absl::FailedPreconditionError(absl::StrCat("container ", request.id(), " has ended"));
  }
  Reply reply;
  reply.mutable_attach()->set_terminal(container.terminal);
  std::vector<UniqueFd> fds;
  if (container.terminal || request.stdin()) {
    if (!container.input.valid()) {
      return absl::FailedPreconditionError(absl::StrCat(
          "the standard input of container ", request.id(),
          " is not open: it has none, or had it once (stdin_once) and its client has it"));
    }
    const bool take = request.take_stdin() && !container.terminal;
    fds.push_back(take ? std::move(container.input) : Duplicate(container.input.get()));
    if (!fds[0].valid()) return ErrnoStatus(errno, "duplicate the standard input");
  }
  server_.Answer(to, std::move(reply), std::move(fds));
  return absl::OkStatus();
}

}  // namespace bulkhead::supervisor
