#ifndef BULKHEAD_SHIM_STREAMING_FORWARDED_CONNECTION_H_
#define BULKHEAD_SHIM_STREAMING_FORWARDED_CONNECTION_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"
#include "shim/streaming/mux.h"
#include "shim/streaming/pump.h"
#include "shim/streaming/workers.h"

namespace bulkhead::streaming {

// One connection of a port-forward: a channel of data to and from a socket in the pod, and one that
// says what went wrong. As with the other runtimes it is over when the pod's side is: a client's
// end of sending is passed on, and what the pod still answers is waited for.
class ForwardedConnection : public std::enable_shared_from_this<ForwardedConnection> {
 public:
  using Connect = std::function<absl::StatusOr<UniqueFd>()>;  // May block.

  ForwardedConnection(const asio::any_io_executor& io, Mux& mux, ChannelId data)
      : mux_(mux), data_(data), socket_(io), in_(mux, data, socket_) {}

  // `what`: for the error's sentence. `place` is kept until `connect` has returned, though Close
  // comes before. `over` is called once, unless Close was before.
  void Start(std::weak_ptr<void> session, ChannelId error, std::string what, Connect connect,
             Workers& workers, const Workers::Queue& queue, std::shared_ptr<void> place,
             std::function<void()> over);
  // The client wants to know no error.
  void OnErrorReset();
  std::optional<ChannelId> error() const { return error_; }
  // Data may come before Start.
  void Write(std::string_view data) { in_.Write(data); }
  void EndInput() { in_.End(); }
  void OnRoom();
  void Close();

 private:
  Keeper KeepThis();
  void OnConnected(absl::StatusOr<UniqueFd> socket);
  void Fail(const absl::Status& status);
  void SendMessage();
  void Finish();

  Mux& mux_;
  const ChannelId data_;
  std::optional<ChannelId> error_;
  bool error_refused_ = false;
  const GivenUp given_up_ = std::make_shared<std::atomic<bool>>(false);
  std::weak_ptr<void> session_;
  std::string what_;
  std::function<void()> over_;  // Null once called, or closed.
  stream_descriptor socket_;
  InputPump in_;
  std::optional<OutputPump> out_;
  std::optional<std::string> message_;  // For the error channel; waits for room.
};

}  // namespace bulkhead::streaming

#endif  // BULKHEAD_SHIM_STREAMING_FORWARDED_CONNECTION_H_
