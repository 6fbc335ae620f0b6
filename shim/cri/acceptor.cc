#include "shim/cri/acceptor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "runtime/kernel/status.h"

namespace bulkhead::cri {
namespace {

// How long to leave the backlog alone when even the spare descriptor does not help.
constexpr int kPauseMilliseconds = 100;

UniqueFd OpenSpare() { return UniqueFd(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

Peer PeerOf(int socket) {
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return {};
  return {.pid = credentials.pid, .uid = credentials.uid, .gid = credentials.gid};
}

}  // namespace

absl::StatusOr<std::unique_ptr<Acceptor>> Acceptor::Start(int listening, Handler handler) {
  UniqueFd stop(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop.valid()) return ErrnoStatus(errno, "eventfd");
  UniqueFd spare = OpenSpare();
  if (!spare.valid()) return ErrnoStatus(errno, "open /dev/null");
  std::unique_ptr<Acceptor> acceptor(
      new Acceptor(listening, std::move(handler), std::move(stop), std::move(spare)));
  try {
    acceptor->thread_ = std::thread([self = acceptor.get()] { self->Run(); });
  } catch (const std::system_error& error) {
    return ErrnoStatus(error.code().value(), "start the thread that accepts connections");
  }
  return acceptor;
}

Acceptor::Acceptor(int listening, Handler handler, UniqueFd stop, UniqueFd spare)
    : listening_(listening),
      handler_(std::move(handler)),
      stop_(std::move(stop)),
      spare_(std::move(spare)) {}

Acceptor::~Acceptor() {
  if (!thread_.joinable()) return;
  eventfd_write(stop_.get(), 1);
  thread_.join();
}

void Acceptor::Run() {
  pollfd fds[] = {{.fd = stop_.get(), .events = POLLIN}, {.fd = listening_, .events = POLLIN}};
  for (;;) {
    if (poll(fds, 2, -1) < 0 && errno != EINTR) return;
    if (fds[0].revents != 0) return;
    if (fds[1].revents != 0) AcceptOne();
  }
}

void Acceptor::AcceptOne() {
  UniqueFd connection(accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (connection.valid()) {
    const Peer peer = PeerOf(connection.get());
    handler_(std::move(connection), peer);
    return;
  }
  if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) TurnAway();
  // Everything else is a client that has left again (accept(2)).
}

void Acceptor::TurnAway() {
  spare_.reset();
  const UniqueFd connection(accept4(listening_, nullptr, nullptr, SOCK_CLOEXEC));
  if (!connection.valid()) {
    pollfd stop = {.fd = stop_.get(), .events = POLLIN};
    poll(&stop, 1, kPauseMilliseconds);
  }
  spare_ = OpenSpare();
}

}  // namespace bulkhead::cri
