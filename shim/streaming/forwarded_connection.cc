#include "shim/streaming/forwarded_connection.h"

#include <sys/socket.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace bulkhead::streaming {

void ForwardedConnection::Start(std::weak_ptr<void> session, ChannelId error, std::string what,
                                Connect connect, Workers& workers, const Workers::Queue& queue,
                                std::shared_ptr<void> place, std::function<void()> over) {
  session_ = std::move(session);
  error_ = error;
  what_ = std::move(what);
  over_ = std::move(over);
  workers.Run(queue, given_up_, std::move(connect),
              [this, keep = KeepThis()(), place](absl::StatusOr<UniqueFd> socket) {
                OnConnected(std::move(socket));
              });
}

// The connection may leave the session before its handlers have run, which use both.
Keeper ForwardedConnection::KeepThis() {
  return [self = weak_from_this(), session = session_] {
    return std::make_shared<std::pair<std::shared_ptr<void>, std::shared_ptr<void>>>(session.lock(),
                                                                                     self.lock());
  };
}

void ForwardedConnection::OnConnected(absl::StatusOr<UniqueFd> socket) {
  if (over_ == nullptr) return;
  if (!socket.ok()) {
    Fail(socket.status());
    return;
  }
  error_code error;
  socket_.assign(socket->get(), error);
  if (error) {
    Fail(absl::InternalError(error.message()));
    return;
  }
  static_cast<void>(socket->release());
  in_.Start(KeepThis(), [this](bool broken) {
    // A server may refuse what is sent, and have said why: that is still to be read.
    if (!broken) shutdown(socket_.native_handle(), SHUT_WR);
  });
  out_.emplace(mux_, data_, socket_);
  out_->Start(KeepThis(), [this] { Finish(); });
}

void ForwardedConnection::Fail(const absl::Status& status) {
  message_ = absl::StrCat("error forwarding ", what_, ": ", status.message());
  SendMessage();
}

void ForwardedConnection::OnErrorReset() {
  error_refused_ = true;
  if (over_ != nullptr && message_) SendMessage();
}

void ForwardedConnection::SendMessage() {
  if (error_refused_) {
    Finish();
    return;
  }
  if (SendOff(mux_, *error_, *message_)) Finish();
}

void ForwardedConnection::OnRoom() {
  if (over_ == nullptr) return;
  if (message_) {
    SendMessage();
  } else if (out_) {
    out_->Resume();
  }
}

void ForwardedConnection::Finish() {
  const std::function<void()> over = std::move(over_);
  Close();
  if (over != nullptr) over();
}

void ForwardedConnection::Close() {
  over_ = nullptr;
  *given_up_ = true;
  mux_.End(data_);
  if (error_) mux_.End(*error_);
  in_.Stop();
  if (out_) out_->Stop();
  error_code ignored;
  socket_.close(ignored);
}

}  // namespace bulkhead::streaming
