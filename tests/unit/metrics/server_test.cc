#include "shim/metrics/server.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::metrics {
namespace {

using testing::HasSubstr;

TEST(MetricsServer, NamesTheAddressWhereItCannotListen) {
  const UniqueFd taken(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  auto* any = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof(address);
  ASSERT_EQ(bind(taken.get(), any, size), 0);
  ASSERT_EQ(listen(taken.get(), 1), 0);
  ASSERT_EQ(getsockname(taken.get(), any, &size), 0);
  const uint16_t port = ntohs(address.sin_port);
  const auto server = Server::Start({.address = "127.0.0.1", .port = port}, {});
  ASSERT_TRUE(absl::IsUnavailable(server.status())) << server.status();
  EXPECT_THAT(std::string(server.status().message()),
              HasSubstr("127.0.0.1:" + std::to_string(port)));
}

}  // namespace
}  // namespace bulkhead::metrics
