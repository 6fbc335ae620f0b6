#ifndef BULKHEAD_SHIM_CRI_ACCEPTOR_H_
#define BULKHEAD_SHIM_CRI_ACCEPTOR_H_

#include <functional>
#include <memory>
#include <thread>

#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"
#include "shim/cri/peers.h"

namespace bulkhead::cri {

// Accepts connections on a thread of its own and hands each over with the process that made it.
// Out of descriptors, connections are closed at once instead of being left to hang.
class Acceptor {
 public:
  // Called on the acceptor's thread with a non-blocking, close-on-exec socket.
  using Handler = std::function<void(UniqueFd, const Peer&)>;

  // `listening` is borrowed and must be non-blocking.
  static absl::StatusOr<std::unique_ptr<Acceptor>> Start(int listening, Handler handler);
  // Ends the thread; the handler is not called any more when it returns.
  ~Acceptor();

 private:
  Acceptor(int listening, Handler handler, UniqueFd stop, UniqueFd spare);
  void Run();
  void AcceptOne();
  void TurnAway();

  const int listening_;
  const Handler handler_;
  const UniqueFd stop_;  // eventfd(2); readable ends the thread.
  UniqueFd spare_;       // Given up to turn a connection away when there is no other descriptor.
  std::thread thread_;
};

}  // namespace bulkhead::cri

#endif  // BULKHEAD_SHIM_CRI_ACCEPTOR_H_
