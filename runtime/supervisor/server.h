#ifndef BULKHEAD_RUNTIME_SUPERVISOR_SERVER_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_SERVER_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "proto/state.pb.h"
#include "proto/supervisor.pb.h"
#include "runtime/kernel/fd.h"
#include "runtime/supervisor/channel.h"
#include "runtime/supervisor/event_loop.h"

namespace bulkhead::supervisor {

// Which request waits for an answer; without an id, none does.
using state::ReplyTo;

// The supervisor's end of the daemon's connection: accepts, greets, frames. One connection at a
// time; a newer one takes the older one's place.
class Server {
 public:
  struct Handlers {
    // A request other than Hello, on a greeted connection.
    std::function<void(const ReplyTo&, const Request&, std::vector<UniqueFd>)> on_request;
    // All of HelloReply but the protocol.
    std::function<HelloReply()> describe;
    // The daemon is gone; another may connect.
    std::function<void()> on_disconnect;
  };

  // `listener` is a bound socket.
  Server(EventLoop& loop, UniqueFd listener, Handlers handlers);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  absl::Status Listen();
  // Uses a connected socket as the connection.
  absl::Status Connect(UniqueFd socket);

  // Answers to a connection that is gone are dropped, as are events while nobody listens: the
  // next Hello tells the state.
  void Answer(const ReplyTo& to, Reply reply, std::vector<UniqueFd> fds = {});
  void Fail(const ReplyTo& to, const absl::Status& status);
  void Emit(Event event);

  // For a re-exec: stop reading, so that what comes is the next program's, and go on.
  void Hold();
  absl::Status Proceed();
  // Whether an answer or event is still to be sent.
  bool unsent() const { return channel_ != nullptr && channel_->wants_write(); }
  void Save(state::State& state) const;
  absl::Status Restore(const state::State& state);

 private:
  absl::Status WatchListener();
  absl::Status WatchConnection();
  void Accept();
  void OnReady(uint32_t events);
  void Handle(Message message);
  void Greet(const ReplyTo& to, const Hello& hello);
  void Send(Message message);
  void Disconnect();

  EventLoop& loop_;
  UniqueFd listener_;
  Handlers handlers_;
  std::unique_ptr<Channel> channel_;
  uint64_t generation_ = 0;
  uint32_t protocol_ = 0;  // 0 before Hello
  bool held_ = false;
};

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_SERVER_H_
