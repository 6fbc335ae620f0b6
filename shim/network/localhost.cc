#include "shim/network/localhost.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/status.h"
#include "shim/network/netns.h"

namespace bulkhead::network {
namespace {

using Clock = std::chrono::steady_clock;

// A socket stays in the network namespace that it was made in.
absl::StatusOr<UniqueFd> MakeSocket(int family) {
  UniqueFd socket(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
  if (!socket.valid()) return ErrnoStatus(errno, "socket");
  return socket;
}

// On a thread of its own, since a thread has no way back out of a namespace that it is sure to be
// allowed.
absl::StatusOr<UniqueFd> MakeSocketIn(const std::string& netns, int family) {
  if (netns.empty()) return MakeSocket(family);
  const absl::StatusOr<UniqueFd> name_space = OpenNetns(netns);
  if (!name_space.ok()) return name_space.status();
  absl::StatusOr<UniqueFd> socket = UniqueFd();
  try {
    std::thread([&] {
      if (setns(name_space->get(), CLONE_NEWNET) == 0) {
        socket = MakeSocket(family);
      } else {
        socket = ErrnoStatus(errno, absl::StrCat("enter network namespace ", netns));
      }
    }).join();
  } catch (const std::system_error& error) {
    return ErrnoStatus(error.code().value(), "start a thread to make a socket");
  }
  return socket;
}

absl::Status AwaitConnected(int socket, std::chrono::milliseconds bound) {
  const auto deadline = Clock::now() + bound;
  pollfd polled{socket, POLLOUT, 0};
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    const int timeout = static_cast<int>(std::clamp<int64_t>(left.count(), 0, 1 << 30));
    const int ready = poll(&polled, 1, timeout);
    if (ready > 0) break;
    if (ready < 0 && errno != EINTR) return ErrnoStatus(errno, "poll");
    if (ready == 0 && timeout == 0) return ErrnoStatus(ETIMEDOUT, "connect");
  }
  int error = 0;
  socklen_t size = sizeof(error);
  if (getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  return error == 0 ? absl::OkStatus() : ErrnoStatus(error, "connect");
}

// A socket whose own port happens to be the one that nobody listens on connects to itself (the
// simultaneous open of RFC 9293).
bool IsConnectedToItself(int socket) {
  sockaddr_storage own{};
  sockaddr_storage peer{};
  socklen_t own_size = sizeof(own);
  socklen_t peer_size = sizeof(peer);
  return getsockname(socket, reinterpret_cast<sockaddr*>(&own), &own_size) == 0 &&
         getpeername(socket, reinterpret_cast<sockaddr*>(&peer), &peer_size) == 0 &&
         own_size == peer_size && std::memcmp(&own, &peer, own_size) == 0;
}

absl::StatusOr<UniqueFd> ConnectTo(const std::string& netns, const sockaddr* address,
                                   socklen_t size, std::chrono::milliseconds bound) {
  absl::StatusOr<UniqueFd> socket = MakeSocketIn(netns, address->sa_family);
  if (!socket.ok()) return socket;
  if (connect(socket->get(), address, size) != 0) {
    if (errno != EINPROGRESS) return ErrnoStatus(errno, "connect");
    if (absl::Status status = AwaitConnected(socket->get(), bound); !status.ok()) return status;
  }
  if (IsConnectedToItself(socket->get())) return ErrnoStatus(ECONNREFUSED, "connect");
  // What a client types must not wait for the answer to what it typed before.
  const int on = 1;
  setsockopt(socket->get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return socket;
}

}  // namespace

absl::StatusOr<UniqueFd> ConnectToLocalhost(const std::string& netns, uint16_t port,
                                            std::chrono::milliseconds bound) {
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  absl::StatusOr<UniqueFd> over_v4 =
      ConnectTo(netns, reinterpret_cast<const sockaddr*>(&v4), sizeof(v4), bound);
  if (over_v4.ok()) return over_v4;
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  v6.sin6_addr = in6addr_loopback;
  absl::StatusOr<UniqueFd> over_v6 =
      ConnectTo(netns, reinterpret_cast<const sockaddr*>(&v6), sizeof(v6), bound);
  if (over_v6.ok()) return over_v6;
  const absl::Status status =
      Annotate(over_v4.status(), absl::StrCat("port ", port, " of 127.0.0.1"));
  return WithErrno(
      absl::Status(status.code(),
                   absl::StrCat(status.message(), "; of [::1]: ", over_v6.status().message())),
      ErrnoOf(status));
}

}  // namespace bulkhead::network
