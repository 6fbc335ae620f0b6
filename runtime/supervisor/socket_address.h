#ifndef BULKHEAD_RUNTIME_SUPERVISOR_SOCKET_ADDRESS_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_SOCKET_ADDRESS_H_

#include <sys/socket.h>
#include <sys/un.h>

#include <string>

#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::supervisor {

// The address of a unix socket whose path may be longer than sun_path's 108 bytes: it goes by
// way of a descriptor of the socket's directory, so it is good only while this object lives.
class SocketAddress {
 public:
  static absl::StatusOr<SocketAddress> Of(const std::string& path);

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address_); }
  socklen_t size() const { return sizeof(address_); }

 private:
  explicit SocketAddress(UniqueFd directory) : directory_(std::move(directory)) {}

  UniqueFd directory_;
  sockaddr_un address_ = {.sun_family = AF_UNIX};
};

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_SOCKET_ADDRESS_H_
