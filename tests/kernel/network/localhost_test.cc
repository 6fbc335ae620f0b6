#include "shim/network/localhost.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/kernel/status.h"
#include "tests/kernel/network/host.h"

namespace bulkhead::network {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

// On a host of its own, whose network namespace is the caller's.
class LocalhostTest : public HostTest {
 protected:
  // A port of 127.0.0.1 with room for so few connections that nobody accepts.
  uint16_t Listen(int backlog) {
    listener_.reset(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(listener_.get(), generic, size), 0);
    EXPECT_EQ(listen(listener_.get(), backlog), 0);
    EXPECT_EQ(getsockname(listener_.get(), generic, &size), 0);
    return ntohs(address.sin_port);
  }
  static size_t OpenDescriptors() {
    const std::filesystem::directory_iterator fds("/proc/self/fd");
    return std::distance(begin(fds), end(fds));
  }

  UniqueFd listener_;
};

TEST_F(LocalhostTest, GivesUpOnAPortThatDoesNotAnswer) {
  const uint16_t port = Listen(0);
  std::vector<UniqueFd> waiting;
  absl::Status status;
  while (status.ok() && waiting.size() < 10) {
    auto connected = ConnectToLocalhost("", port, milliseconds(100));
    status = connected.status();
    if (connected.ok()) waiting.push_back(*std::move(connected));
  }
  EXPECT_EQ(ErrnoOf(status), ETIMEDOUT) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("[::1]"));
}

// Where nobody listens, the port can become the socket's own.
TEST_F(LocalhostTest, NeverConnectsToItself) {
  std::ofstream("/proc/sys/net/ipv4/ip_local_port_range") << "40000 40001";
  for (int i = 0; i < 50; ++i) {
    const absl::Status refused = ConnectToLocalhost("", 40000, milliseconds(1000)).status();
    EXPECT_FALSE(refused.ok());
  }
}

TEST_F(LocalhostTest, GoesWithoutIPv6WhereThereIsNone) {
  std::ofstream("/proc/sys/net/ipv6/conf/lo/disable_ipv6") << "1";
  EXPECT_TRUE(ConnectToLocalhost("", Listen(5), milliseconds(1000)).ok());
  const absl::Status refused = ConnectToLocalhost("", 1, milliseconds(1000)).status();
  EXPECT_EQ(ErrnoOf(refused), ECONNREFUSED) << refused;
}

TEST_F(LocalhostTest, FailsForANetworkNamespaceThatIsGoneAndKeepsNothing) {
  const size_t before = OpenDescriptors();
  EXPECT_EQ(ConnectToLocalhost(path("gone"), 80, milliseconds(100)).status().code(),
            absl::StatusCode::kNotFound);
  std::ofstream(path("file")) << "no namespace";
  EXPECT_EQ(ConnectToLocalhost(path("file"), 80, milliseconds(100)).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(OpenDescriptors(), before);
}

}  // namespace
}  // namespace bulkhead::network
