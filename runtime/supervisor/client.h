#ifndef BULKHEAD_RUNTIME_SUPERVISOR_CLIENT_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_CLIENT_H_

#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/supervisor.pb.h"
#include "runtime/kernel/fd.h"
#include "runtime/supervisor/channel.h"
#include "runtime/supervisor/client_loop.h"

namespace bulkhead::supervisor {

// A successful reply and the descriptors that came with it.
struct Response {
  Reply reply;
  std::vector<UniqueFd> fds;
};

// The daemon's side of the connection to one supervisor. Thread safe.
class SupervisorClient : public std::enable_shared_from_this<SupervisorClient> {
 public:
  // Both run on the loop's thread, for all pods one after the other: they must not block and
  // cannot Call (refused with FAILED_PRECONDITION). Events can arrive before Connect returns,
  // and one can be on its way while the last reference to the client is given up: what the
  // callbacks use must be owned by them, or outlive the loop.
  struct Callbacks {
    std::function<void(const Event&)> on_event;
    // Once, when the connection ends for another reason than the client's destruction.
    std::function<void(const absl::Status&)> on_disconnect;
  };

  // Says Hello over a connection that SpawnSupervisor made. The loop must outlive the client.
  static absl::StatusOr<std::shared_ptr<SupervisorClient>> Attach(
      ClientLoop& loop, UniqueFd connection, Callbacks callbacks,
      std::chrono::milliseconds timeout);
  // Connects to the socket of a running supervisor and says Hello. UNAVAILABLE: nobody listens.
  // DEADLINE_EXCEEDED: the supervisor does not answer.
  static absl::StatusOr<std::shared_ptr<SupervisorClient>> Connect(
      ClientLoop& loop, const std::string& socket_path, Callbacks callbacks,
      std::chrono::milliseconds timeout);
  ~SupervisorClient();
  SupervisorClient(const SupervisorClient&) = delete;
  SupervisorClient& operator=(const SupervisorClient&) = delete;

  // What the supervisor said when the connection was made.
  const HelloReply& hello() const { return hello_; }
  // The supervisor's process, when the connection was made by Connect; 0 otherwise. To get a
  // pidfd without a race, open it and then Call: an answer proves that the pid was still its.
  pid_t peer_pid() const { return peer_pid_; }

  // Sends a request and waits for its reply; calls may overlap, from any threads. An Error in
  // the reply becomes the returned status (isolation::LaunchStepOf, ErrnoOf).
  // DEADLINE_EXCEEDED: no answer in time; the request may still be carried out, but an Exec is
  // cancelled. UNAVAILABLE: the connection ended.
  absl::StatusOr<Response> Call(Request request, std::vector<UniqueFd> fds,
                                std::chrono::milliseconds timeout);

 private:
  friend class ClientLoop;
  struct Pending {
    bool done = false;
    absl::Status status;
    Response response;
  };

  SupervisorClient(ClientLoop& loop, UniqueFd connection, Callbacks callbacks);
  static absl::StatusOr<std::shared_ptr<SupervisorClient>> Greet(
      std::shared_ptr<SupervisorClient> client, std::chrono::milliseconds timeout);

  // The loop's thread: the socket is ready; false when the connection has ended.
  bool OnReady(uint32_t events);
  absl::Status ReceiveAll();
  void Dispatch(Message message);
  void Disconnect(const absl::Status& why);
  // With mutex_ held.
  absl::Status UpdateInterest();
  void CancelExec(uint64_t request);

  ClientLoop& loop_;
  Callbacks callbacks_;
  HelloReply hello_;
  pid_t peer_pid_ = 0;

  std::mutex mutex_;
  std::condition_variable answered_;
  Channel channel_;  // its sending half is guarded by mutex_
  bool watching_writes_ = false;
  uint64_t last_id_ = 0;
  std::map<uint64_t, Pending*> pending_;
  absl::Status disconnected_;  // OK while connected
};

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_CLIENT_H_
