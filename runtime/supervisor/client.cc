#include "runtime/supervisor/client.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"
#include "runtime/supervisor/error.h"
#include "runtime/supervisor/protocol.h"
#include "runtime/supervisor/socket_address.h"

namespace bulkhead::supervisor {
namespace {

absl::StatusOr<UniqueFd> ConnectTo(const std::string& path) {
  absl::StatusOr<SocketAddress> address = SocketAddress::Of(path);
  if (!address.ok()) return address.status();
  UniqueFd fd(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return ErrnoStatus(errno, "socket");
  if (connect(fd.get(), address->get(), address->size()) == 0) return fd;
  const int error = errno;
  const absl::Status status = ErrnoStatus(error, absl::StrCat("connect to ", path));
  // EAGAIN: a frozen supervisor's queue of connections is full.
  const bool gone = error == ENOENT || error == ECONNREFUSED || error == EAGAIN;
  return gone ? WithErrno(absl::UnavailableError(status.message()), error) : status;
}

pid_t PeerPid(int fd) {
  ucred peer = {};
  socklen_t size = sizeof(peer);
  getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
  return peer.pid;
}

}  // namespace

absl::StatusOr<std::shared_ptr<SupervisorClient>> SupervisorClient::Attach(
    ClientLoop& loop, UniqueFd connection, Callbacks callbacks, std::chrono::milliseconds timeout) {
  return Greet(std::shared_ptr<SupervisorClient>(
                   new SupervisorClient(loop, std::move(connection), std::move(callbacks))),
               timeout);
}

absl::StatusOr<std::shared_ptr<SupervisorClient>> SupervisorClient::Connect(
    ClientLoop& loop, const std::string& socket_path, Callbacks callbacks,
    std::chrono::milliseconds timeout) {
  absl::StatusOr<UniqueFd> connection = ConnectTo(socket_path);
  if (!connection.ok()) return connection.status();
  const pid_t pid = PeerPid(connection->get());
  std::shared_ptr<SupervisorClient> client(
      new SupervisorClient(loop, *std::move(connection), std::move(callbacks)));
  client->peer_pid_ = pid;
  return Greet(std::move(client), timeout);
}

absl::StatusOr<std::shared_ptr<SupervisorClient>> SupervisorClient::Greet(
    std::shared_ptr<SupervisorClient> client, std::chrono::milliseconds timeout) {
  if (absl::Status s = client->loop_.Add(client->channel_.fd(), client); !s.ok()) return s;
  Request request;
  request.mutable_hello()->set_protocol_min(kProtocolMin);
  request.mutable_hello()->set_protocol_max(kProtocolMax);
  absl::StatusOr<Response> response = client->Call(std::move(request), {}, timeout);
  if (!response.ok()) return Annotate(response.status(), "hello");
  client->hello_ = std::move(*response->reply.mutable_hello());
  return client;
}

SupervisorClient::SupervisorClient(ClientLoop& loop, UniqueFd connection, Callbacks callbacks)
    : loop_(loop), callbacks_(std::move(callbacks)), channel_(std::move(connection)) {}

SupervisorClient::~SupervisorClient() { loop_.Remove(channel_.fd()); }

absl::StatusOr<Response> SupervisorClient::Call(Request request, std::vector<UniqueFd> fds,
                                                std::chrono::milliseconds timeout) {
  if (loop_.OnLoopThread()) {
    return absl::FailedPreconditionError("a call from the thread that receives the replies");
  }
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  const bool starts_command = request.has_exec();
  Pending pending;
  std::unique_lock lock(mutex_);
  if (!disconnected_.ok()) return disconnected_;
  const uint64_t id = ++last_id_;
  Message message{.fds = std::move(fds)};
  message.packet.set_id(id);
  *message.packet.mutable_request() = std::move(request);
  if (absl::Status s = channel_.Send(std::move(message)); !s.ok()) return s;
  if (absl::Status s = UpdateInterest(); !s.ok()) return s;
  pending_[id] = &pending;
  answered_.wait_until(lock, deadline, [&] { return pending.done; });
  pending_.erase(id);
  if (!pending.done) {
    if (starts_command) CancelExec(id);
    return absl::DeadlineExceededError(
        absl::StrCat("the pod's supervisor did not answer within ", timeout.count(), " ms"));
  }
  if (!pending.status.ok()) return pending.status;
  if (pending.response.reply.has_error()) return StatusFromError(pending.response.reply.error());
  return std::move(pending.response);
}

void SupervisorClient::CancelExec(uint64_t request) {
  Message message;
  message.packet.set_id(++last_id_);
  message.packet.mutable_request()->mutable_cancel_exec()->set_request(request);
  // Its answer is not waited for. What cannot be sent ends the connection.
  if (channel_.Send(std::move(message)).ok()) UpdateInterest().IgnoreError();
}

absl::Status SupervisorClient::UpdateInterest() {
  if (channel_.wants_write() == watching_writes_) return absl::OkStatus();
  watching_writes_ = channel_.wants_write();
  return loop_.SetInterest(channel_.fd(), watching_writes_);
}

bool SupervisorClient::OnReady(uint32_t events) {
  absl::Status status;
  if ((events & EPOLLOUT) != 0) {
    std::lock_guard lock(mutex_);
    status = channel_.Flush();
    if (status.ok()) status = UpdateInterest();
  }
  if (status.ok()) status = ReceiveAll();
  if (status.ok()) return true;
  Disconnect(status);
  return false;
}

absl::Status SupervisorClient::ReceiveAll() {
  while (true) {
    absl::StatusOr<std::optional<Message>> message = channel_.Receive();
    if (!message.ok()) return message.status();
    if (!message->has_value()) return absl::OkStatus();
    Dispatch(**std::move(message));
  }
}

void SupervisorClient::Dispatch(Message message) {
  if (message.packet.has_event()) {
    if (callbacks_.on_event) callbacks_.on_event(message.packet.event());
    return;
  }
  std::lock_guard lock(mutex_);
  const auto found = pending_.find(message.packet.id());
  // Nobody waits any more for what comes after its deadline.
  if (found == pending_.end() || !message.packet.has_reply()) return;
  Pending& pending = *found->second;
  pending.response.reply = std::move(*message.packet.mutable_reply());
  pending.response.fds = std::move(message.fds);
  pending.done = true;
  answered_.notify_all();
}

void SupervisorClient::Disconnect(const absl::Status& why) {
  {
    std::lock_guard lock(mutex_);
    disconnected_ = absl::UnavailableError(
        absl::StrCat("the connection to the pod's supervisor ended: ", why.message()));
    for (auto& [id, pending] : pending_) {
      // One that was answered keeps its answer: its caller has yet to wake up.
      if (pending->done) continue;
      pending->status = disconnected_;
      pending->done = true;
    }
    answered_.notify_all();
  }
  if (callbacks_.on_disconnect) callbacks_.on_disconnect(why);
}

}  // namespace bulkhead::supervisor
