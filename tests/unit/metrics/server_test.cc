#include "shim/metrics/server.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "prometheus/metric_family.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::metrics {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// A socket on a free port of 127.0.0.1.
struct Bound {
  UniqueFd socket;
  uint16_t port = 0;
};

Bound BindAnywhere() {
  Bound bound{UniqueFd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0))};
  sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  auto* any = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof(address);
  EXPECT_EQ(bind(bound.socket.get(), any, size), 0);
  EXPECT_EQ(getsockname(bound.socket.get(), any, &size), 0);
  bound.port = ntohs(address.sin_port);
  return bound;
}

std::string Scrape(uint16_t port) {
  const UniqueFd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address{
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  EXPECT_EQ(connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  const std::string request = "GET /metrics HTTP/1.0\r\n\r\n";
  EXPECT_EQ(write(client.get(), request.data(), request.size()),
            static_cast<ssize_t>(request.size()));
  std::string answer;
  char part[4096];
  for (ssize_t n; (n = read(client.get(), part, sizeof(part))) > 0;) answer.append(part, n);
  return answer;
}

class One : public prometheus::Collectable {
 public:
  std::vector<prometheus::MetricFamily> Collect() const override {
    prometheus::ClientMetric value;
    value.gauge.value = 7;
    return {{.name = "one", .help = "", .type = prometheus::MetricType::Gauge, .metric = {value}}};
  }
};

TEST(MetricsServer, NamesTheAddressWhereItCannotListen) {
  const Bound taken = BindAnywhere();
  ASSERT_EQ(listen(taken.socket.get(), 1), 0);
  const auto server = Server::Start({.address = "127.0.0.1", .port = taken.port}, {});
  ASSERT_TRUE(absl::IsUnavailable(server.status())) << server.status();
  EXPECT_THAT(std::string(server.status().message()),
              HasSubstr("127.0.0.1:" + std::to_string(taken.port)));
}

TEST(MetricsServer, ServesWhatIsCollectedBesideAClientThatSaysNothing) {
  Bound bound = BindAnywhere();
  bound.socket.reset();
  const auto server =
      Server::Start({.address = "127.0.0.1", .port = bound.port}, {std::make_shared<One>()});
  ASSERT_TRUE(server.ok()) << server.status();
  const UniqueFd idle(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address{
      .sin_family = AF_INET, .sin_port = htons(bound.port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  ASSERT_EQ(connect(idle.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  const std::string answer = Scrape(bound.port);
  EXPECT_THAT(answer, StartsWith("HTTP/1."));
  EXPECT_THAT(answer, HasSubstr("\none 7\n"));
}

}  // namespace
}  // namespace bulkhead::metrics
