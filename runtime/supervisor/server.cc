#include "runtime/supervisor/server.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>

#include "runtime/kernel/astray.h"
#include "runtime/kernel/status.h"
#include "runtime/supervisor/error.h"
#include "runtime/supervisor/protocol.h"

namespace bulkhead::supervisor {
namespace {

// The daemon connects once; the rest is for those who try while a supervisor is frozen.
constexpr int kBacklog = 4;

}  // namespace

Server::Server(EventLoop& loop, UniqueFd listener, Handlers handlers)
    : loop_(loop), listener_(std::move(listener)), handlers_(std::move(handlers)) {}

Server::~Server() {
  loop_.Forget(listener_.get());
  if (channel_ != nullptr) loop_.Forget(channel_->fd());
}

absl::Status Server::Listen() {
  if (listen(listener_.get(), kBacklog) != 0) return ErrnoStatus(errno, "listen");
  return WatchListener();
}

absl::Status Server::WatchListener() {
  return loop_.Watch(listener_.get(), EPOLLIN, [this](uint32_t) { Accept(); });
}

absl::Status Server::WatchConnection() {
  if (channel_ == nullptr) return absl::OkStatus();
  const uint32_t writing = channel_->wants_write() ? uint32_t{EPOLLOUT} : 0;
  return loop_.Watch(channel_->fd(), EPOLLIN | writing,
                     [this](uint32_t events) { OnReady(events); });
}

absl::Status Server::Connect(UniqueFd socket) {
  if (channel_ != nullptr) loop_.Forget(channel_->fd());
  channel_ = std::make_unique<Channel>(std::move(socket));
  ++generation_;
  protocol_ = 0;
  return WatchConnection();
}

void Server::Accept() {
  UniqueFd socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket.valid()) return;  // The peer gave up.
  const absl::StatusOr<bool> root = PeerIsRoot(socket.get());
  if (!root.ok() || !*root) return;
  if (!Connect(std::move(socket)).ok()) Disconnect();
}

void Server::OnReady(uint32_t events) {
  if ((events & EPOLLOUT) != 0) {
    if (!channel_->Flush().ok()) return Disconnect();
    if (!channel_->wants_write() && !loop_.Change(channel_->fd(), EPOLLIN).ok()) {
      return Disconnect();
    }
  }
  // A request's handler can hold, end or replace the connection.
  const uint64_t generation = generation_;
  while (!held_ && channel_ != nullptr && generation_ == generation) {
    absl::StatusOr<std::optional<Message>> message = channel_->Receive();
    if (!message.ok()) return Disconnect();
    if (!message->has_value()) return;
    Handle(**std::move(message));
  }
}

void Server::Handle(Message message) {
  // Only requests come this way, and their answers need an id.
  if (!message.packet.has_request() || message.packet.id() == 0) return Disconnect();
  ReplyTo to;
  to.set_connection(generation_);
  to.set_id(message.packet.id());
  const Request& request = message.packet.request();
  if (request.has_hello()) return Greet(to, request.hello());
  if (protocol_ == 0) return Fail(to, absl::FailedPreconditionError("Hello comes first"));
  handlers_.on_request(to, request, std::move(message.fds));
}

void Server::Greet(const ReplyTo& to, const Hello& hello) {
  const absl::StatusOr<uint32_t> protocol = ChooseProtocol(hello);
  if (!protocol.ok()) return Fail(to, protocol.status());
  protocol_ = *protocol;
  Reply reply;
  *reply.mutable_hello() = handlers_.describe();
  reply.mutable_hello()->set_protocol(protocol_);
  Answer(to, std::move(reply));
}

void Server::Answer(const ReplyTo& to, Reply reply, std::vector<UniqueFd> fds) {
  if (channel_ == nullptr || to.id() == 0 || to.connection() != generation_) return;
  Message message{.fds = std::move(fds)};
  message.packet.set_id(to.id());
  *message.packet.mutable_reply() = std::move(reply);
  Send(std::move(message));
}

void Server::Fail(const ReplyTo& to, const absl::Status& status) {
  Reply reply;
  *reply.mutable_error() = ErrorFromStatus(status);
  Answer(to, std::move(reply));
  // What it made next would be somewhere else. The daemon ends the pod, and another one is run.
  if (IsAstray(status)) loop_.Stop();
}

void Server::Emit(Event event) {
  if (channel_ == nullptr || protocol_ == 0) return;
  Message message;
  *message.packet.mutable_event() = std::move(event);
  Send(std::move(message));
}

void Server::Send(Message message) {
  // A daemon that does not read is cut off rather than buffered for; it learns the state anew.
  if (!channel_->Send(std::move(message)).ok()) return Disconnect();
  if (channel_->wants_write() && !held_) {
    if (!loop_.Change(channel_->fd(), EPOLLIN | EPOLLOUT).ok()) Disconnect();
  }
}

void Server::Disconnect() {
  if (channel_ == nullptr) return;
  loop_.Forget(channel_->fd());
  channel_.reset();
  protocol_ = 0;
  handlers_.on_disconnect();
}

void Server::Hold() {
  held_ = true;
  loop_.Forget(listener_.get());
  if (channel_ != nullptr) loop_.Forget(channel_->fd());
}

absl::Status Server::Proceed() {
  held_ = false;
  if (absl::Status s = WatchListener(); !s.ok()) return s;
  return WatchConnection();
}

void Server::Save(state::State& state) const {
  state.set_listener(listener_.get());
  state.mutable_connection()->set_socket(channel_ != nullptr ? channel_->fd() : 0);
  state.mutable_connection()->set_generation(generation_);
  state.mutable_connection()->set_protocol(protocol_);
}

absl::Status Server::Restore(const state::State& state) {
  generation_ = state.connection().generation();
  protocol_ = state.connection().protocol();
  if (state.connection().socket() > 0) {
    channel_ = std::make_unique<Channel>(UniqueFd(state.connection().socket()));
  }
  return Proceed();
}

}  // namespace bulkhead::supervisor
