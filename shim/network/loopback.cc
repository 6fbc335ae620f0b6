#include "shim/network/loopback.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <array>
#include <memory>

#include "runtime/kernel/status.h"

namespace bulkhead::network {
namespace {

constexpr int kLoopbackIndex = 1;  // LOOPBACK_IFINDEX, the first interface of every namespace.

struct CloseSocket {
  void operator()(mnl_socket* socket) const { mnl_socket_close(socket); }
};

absl::Status Failed() { return ErrnoStatus(errno, "bring the loopback interface up"); }

}  // namespace

absl::Status SetLoopbackUp() {
  const std::unique_ptr<mnl_socket, CloseSocket> socket(
      mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC));
  if (socket == nullptr || mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0) {
    return Failed();
  }
  alignas(nlmsghdr) std::array<char, 1024> buffer{};
  nlmsghdr* header = mnl_nlmsg_put_header(buffer.data());
  header->nlmsg_type = RTM_NEWLINK;
  header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  header->nlmsg_seq = 1;
  auto* link = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(header, sizeof(ifinfomsg)));
  link->ifi_family = AF_UNSPEC;
  link->ifi_index = kLoopbackIndex;
  link->ifi_flags = IFF_UP;
  link->ifi_change = IFF_UP;
  if (mnl_socket_sendto(socket.get(), header, header->nlmsg_len) < 0) return Failed();
  const ssize_t size = mnl_socket_recvfrom(socket.get(), buffer.data(), buffer.size());
  // The answer is an NLMSG_ERROR with 0 or an errno, which mnl_cb_run turns into its result.
  if (size < 0 || mnl_cb_run(buffer.data(), static_cast<size_t>(size), 1,
                             mnl_socket_get_portid(socket.get()), nullptr, nullptr) < 0) {
    return Failed();
  }
  return absl::OkStatus();
}

}  // namespace bulkhead::network
