#ifndef BULKHEAD_RUNTIME_SUPERVISOR_CHANNEL_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_CHANNEL_H_

#include <cstddef>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/supervisor.pb.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::supervisor {

// SCM_MAX_FD of the kernel: the descriptors that one datagram can carry.
inline constexpr size_t kFdsPerPacket = 253;
// The descriptors that one message can carry, over several datagrams.
inline constexpr size_t kFdsPerMessage = 1024;
// A packet up to this size travels in the datagram itself, in bytes.
inline constexpr size_t kInlineLimit = 64 * 1024;
// No packet is larger, in bytes.
inline constexpr size_t kMessageLimit = 8 * 1024 * 1024;

// A packet with the descriptors that came, or go, with it.
struct Message {
  Packet packet;
  std::vector<UniqueFd> fds;
};

// One end of the connection between the daemon and a supervisor (proto/supervisor.proto).
// The socket is non-blocking; poll `fd()` for reading, and for writing while `wants_write()`.
// One thread may send while another receives: the two halves share only the socket. An error
// from any function but for INVALID_ARGUMENT from Send ends the connection.
class Channel {
 public:
  // Takes a connected SOCK_SEQPACKET socket and makes it non-blocking.
  explicit Channel(UniqueFd socket);

  int fd() const { return socket_.get(); }

  // Sends, or queues what the socket does not take now. The descriptors are closed once sent.
  // INVALID_ARGUMENT: the message is over a limit and nothing was sent. RESOURCE_EXHAUSTED: the
  // peer does not read and the queue is full.
  absl::Status Send(Message message);
  // Sends what is queued, as far as the socket takes it.
  absl::Status Flush();
  bool wants_write() const { return !queue_.empty(); }

  // The next complete message; nullopt when there is none yet. UNAVAILABLE: the peer closed the
  // connection. DATA_LOSS: a datagram or its descriptors were cut off. INVALID_ARGUMENT: the
  // peer does not keep to the protocol.
  absl::StatusOr<std::optional<Message>> Receive();

 private:
  struct Datagram {
    std::string bytes;
    std::vector<UniqueFd> fds;
  };

  // The socket took it, or would block.
  absl::StatusOr<bool> TrySend(const Datagram& datagram);
  absl::StatusOr<Datagram> ReadDatagram();
  absl::Status Append(const Packet& packet, std::vector<UniqueFd> fds);

  UniqueFd socket_;
  std::deque<Datagram> queue_;
  // Descriptors that came ahead of their packet, and the id that they belong to.
  std::vector<UniqueFd> early_fds_;
  uint64_t early_id_ = 0;
};

// Whether the process at the other end of a connected unix socket runs as root
// (SO_PEERCRED, unix(7)).
absl::StatusOr<bool> PeerIsRoot(int socket);

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_CHANNEL_H_
