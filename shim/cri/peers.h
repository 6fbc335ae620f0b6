#ifndef BULKHEAD_SHIM_CRI_PEERS_H_
#define BULKHEAD_SHIM_CRI_PEERS_H_

#include <sys/types.h>

#include <map>
#include <mutex>
#include <string>

namespace bulkhead::cri {

// The process at the other end of a connection, as it was when it connected (SO_PEERCRED in
// unix(7)). pid 0: not in our PID namespace.
struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;

  bool operator==(const Peer&) const = default;
};

// Which process each connection is from. gRPC tells a call only the descriptor's number, as
// "fd:12". A number that is used again is overwritten, so the table never outgrows the descriptors.
// Thread safe.
class Peers {
 public:
  void Add(int fd, const Peer& peer);
  // All zero for a connection that was not added.
  Peer Find(const std::string& grpc_peer) const;

 private:
  mutable std::mutex mutex_;
  std::map<int, Peer> by_fd_;
};

}  // namespace bulkhead::cri

#endif  // BULKHEAD_SHIM_CRI_PEERS_H_
