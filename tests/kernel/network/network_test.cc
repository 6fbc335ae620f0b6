#include "shim/network/network.h"

#include <sys/eventfd.h>

#include <chrono>
#include <filesystem>
#include <set>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "shim/network/netns.h"
#include "tests/kernel/network/host.h"

namespace bulkhead::network {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Real plugins of Debian's containernetworking-plugins on a host of the test's own.
class NetworkTest : public HostTest {
 protected:
  NetworkTest() {
    std::filesystem::create_directories(path("leases"));
    std::filesystem::create_directories(path("netns"));
    bridge_ = {{"type", "bridge"},
               {"bridge", "bhtest0"},
               {"isGateway", true},
               {"ipMasq", false},
               {"ipam",
                {{"type", "host-local"},
                 {"dataDir", path("leases")},
                 {"ranges", {{{{"subnet", "10.88.0.0/24"}}}, {{{"subnet", "fd00:88::/64"}}}}},
                 {"routes", {{{"dst", "0.0.0.0/0"}}}}}}};
  }

  void Configure(const std::vector<json>& plugins) {
    Write("net.d/10-test.conflist",
          json({{"cniVersion", "1.0.0"}, {"name", "bhtest"}, {"plugins", plugins}}).dump());
  }
  // A plugin of ours, a script, that stands beside the real ones.
  void Script(const std::string& name, const std::string& body) {
    Write("bin/" + name, "#!/bin/sh\n" + body, 0755);
  }
  void Start() {
    auto network = Network::Create({.config_dir = path("net.d"),
                                    .plugin_dirs = {path("bin"), "/usr/lib/cni"},
                                    .record_dir = path("records"),
                                    .plugin_timeout = std::chrono::minutes(2)});
    ASSERT_TRUE(network.ok()) << network.status();
    network_ = *std::move(network);
  }
  PodNetworkRequest Request(const std::string& id) {
    PodNetworkRequest request = {
        .pod_id = id, .pod_name = "pod-" + id, .pod_namespace = "default", .pod_uid = "uid-" + id};
    request.netns = PinnedNetns::Create(path("netns"), id)->Keep();
    return request;
  }
  void Remove(const std::string& id) {
    const absl::Status status = network_->Del(id);
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_TRUE(RemoveNetns(path("netns/" + id)).ok());
  }
  // The state of the host after one pod came and went. What all pods share stays by the plugins'
  // design: the bridge, lock files, the chains that the host's ports hang from.
  std::string Settled() {
    PodNetworkRequest request = Request("first");
    request.port_mappings = {{.container_port = 80, .host_port = 17999}};
    EXPECT_TRUE(network_->Add(request).ok());
    Remove("first");
    return Leftovers();
  }
  // Waits for the kernel, which frees the interfaces of a namespace some time after it is gone.
  // host-local remembers the last address that it gave, which is its own affair.
  std::string Leftovers() {
    Shell("for i in $(seq 500); do ip -br link | grep -q ^veth || break; sleep 0.01; done");
    return Shell("sed -i d " + path("leases") + "/bhtest/last_reserved_ip.* ; true") + Snapshot();
  }

  json bridge_;
  const json portmap_ = {
      {"type", "portmap"}, {"snat", true}, {"capabilities", {{"portMappings", true}}}};
  const json bandwidth_ = {{"type", "bandwidth"}, {"capabilities", {{"bandwidth", true}}}};
  std::unique_ptr<Network> network_;
};

TEST_F(NetworkTest, GivesAPodReachableAddressesOfBothFamiliesAndTakesThemBack) {
  Configure({bridge_});
  Start();
  const std::string before = Settled();
  const PodNetworkRequest request = Request("p1");
  const absl::StatusOr<PodNetworkResult> result = network_->Add(request);
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->ips.size(), 2u);
  EXPECT_THAT(result->ips[0], HasSubstr("10.88.0."));
  EXPECT_THAT(result->ips[1], HasSubstr("fd00:88::"));
  EXPECT_EQ(result->macs.size(), 1u);
  EXPECT_EQ(json::parse(result->result)["cniVersion"], "1.0.0");
  InNetns(request.netns, [&] {
    const Greeter greeter(80, "pod");
    std::thread([&] {
      InNetns("/proc/" + std::to_string(getpid()) + "/ns/net", [&] {
        EXPECT_EQ(Dial(result->ips[0], 80), "pod");
        EXPECT_EQ(Dial(result->ips[1], 80), "pod");
      });
    }).join();
  });
  EXPECT_TRUE(network_->Check("p1").ok()) << network_->Check("p1");
  EXPECT_THAT(*network_->List(), ElementsAre("p1"));
  Remove("p1");
  EXPECT_THAT(*network_->List(), IsEmpty());
  EXPECT_EQ(Leftovers(), before);
}

TEST_F(NetworkTest, MapsAPortOfTheHost) {
  Configure({bridge_, portmap_});
  Start();
  const std::string before = Settled();
  PodNetworkRequest request = Request("p1");
  request.port_mappings = {{.container_port = 80, .host_port = 18080}};
  const absl::StatusOr<PodNetworkResult> result = network_->Add(request);
  ASSERT_TRUE(result.ok()) << result.status();
  std::unique_ptr<Greeter> greeter;
  InNetns(request.netns, [&] { greeter = std::make_unique<Greeter>(80, "mapped"); });
  EXPECT_EQ(Dial("192.0.2.1", 18080), "mapped");
  EXPECT_EQ(Dial("127.0.0.1", 18080), "mapped");
  greeter.reset();
  Remove("p1");
  EXPECT_EQ(Leftovers(), before);
}

TEST_F(NetworkTest, LimitsAPodsBandwidth) {
  if (Shell("ip link add probe type ifb && tc qdisc add dev probe root tbf rate 1mbit burst 100kb "
            "latency 25ms; ip link del probe") != "") {
    GTEST_SKIP() << "this kernel has no ifb devices or no tbf queues";
  }
  Configure({bridge_, bandwidth_});
  Start();
  const std::string before = Settled();
  PodNetworkRequest request = Request("p1");
  request.bandwidth = Bandwidth{.ingress_rate = 8000000,
                                .ingress_burst = 4000000,
                                .egress_rate = 4000000,
                                .egress_burst = 4000000};
  const absl::StatusOr<PodNetworkResult> result = network_->Add(request);
  ASSERT_TRUE(result.ok()) << result.status();
  const std::string queues = Shell("tc qdisc");
  EXPECT_THAT(queues, HasSubstr("rate 8Mbit burst 500000b"));
  EXPECT_THAT(queues, HasSubstr("rate 4Mbit burst 500000b"));
  EXPECT_TRUE(network_->Check("p1").ok()) << network_->Check("p1");
  Remove("p1");
  EXPECT_EQ(Leftovers(), before);
}

TEST_F(NetworkTest, DoesNotCheckABandwidthThatIsNotLimited) {
  Configure({bridge_, bandwidth_});
  Start();
  ASSERT_TRUE(network_->Add(Request("p1")).ok());
  EXPECT_TRUE(network_->Check("p1").ok()) << network_->Check("p1");
  Remove("p1");
}

TEST_F(NetworkTest, FindsWithCheckThatAnInterfaceIsGone) {
  Configure({bridge_});
  Start();
  const PodNetworkRequest request = Request("p1");
  ASSERT_TRUE(network_->Add(request).ok());
  InNetns(request.netns, [] { Shell("ip link del eth0"); });
  EXPECT_THAT(std::string(network_->Check("p1").message()), HasSubstr("failed on CHECK"));
  EXPECT_TRUE(absl::IsNotFound(network_->Check("p2")));
  Remove("p1");
}

TEST_F(NetworkTest, DetachesWhenTheNetworkNamespaceIsGone) {
  Configure({bridge_, portmap_});
  Start();
  const std::string before = Settled();
  PodNetworkRequest request = Request("p1");
  request.port_mappings = {{.container_port = 80, .host_port = 18080}};
  ASSERT_TRUE(network_->Add(request).ok());
  ASSERT_TRUE(RemoveNetns(request.netns).ok());
  Remove("p1");
  EXPECT_TRUE(network_->Del("p1").ok());
  EXPECT_EQ(Leftovers(), before);
}

TEST_F(NetworkTest, DetachesWithTheConfigurationOfItsDayAfterARestart) {
  Configure({bridge_, portmap_});
  Start();
  const std::string before = Settled();
  PodNetworkRequest request = Request("p1");
  request.port_mappings = {{.container_port = 80, .host_port = 18080}};
  ASSERT_TRUE(network_->Add(request).ok());
  network_.reset();
  std::filesystem::remove_all(path("net.d"));
  Start();
  EXPECT_FALSE(network_->Ready().ready);
  EXPECT_THAT(*network_->List(), ElementsAre("p1"));
  Remove("p1");
  Configure({bridge_, portmap_});
  EXPECT_EQ(Leftovers(), before);
}

TEST_F(NetworkTest, GivesALeaseBackWhoseRecordAPowerLossEmptied) {
  Configure({bridge_});
  Start();
  const std::string before = Settled();
  ASSERT_TRUE(network_->Add(Request("p1")).ok());
  Write("records/p1.json", "");
  ASSERT_TRUE(RemoveNetns(path("netns/p1")).ok());
  EXPECT_THAT(*network_->List(), ElementsAre("p1"));
  Remove("p1");
  EXPECT_EQ(Leftovers(), before);
}

TEST_F(NetworkTest, UndoesInReverseWhenAPluginOfTheChainFails) {
  Script("broken", "echo broken-$CNI_COMMAND >> " + path("calls") +
                       "; [ $CNI_COMMAND = DEL ] && exit 0"
                       "; echo '{\"code\": 100, \"msg\": \"no luck\"}'; exit 1");
  Script("log", "cat >/dev/null; echo log-$CNI_COMMAND >> " + path("calls") +
                    "; echo '{\"cniVersion\": \"1.0.0\"}'");
  Configure({bridge_, {{"type", "log"}}, {{"type", "broken"}}, {{"type", "never"}}});
  Script("never", "echo never >> " + path("calls"));
  Start();
  const absl::Status status = network_->Add(Request("p1")).status();
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("CNI plugin \"broken\" failed on ADD with code 100: no luck"));
  EXPECT_EQ(Read("calls"), "log-ADD\nbroken-ADD\nbroken-DEL\nlog-DEL\n");
  EXPECT_THAT(*network_->List(), IsEmpty());
  EXPECT_EQ(Shell("ls " + path("leases/bhtest") + " | grep ^10"), "");
  EXPECT_TRUE(RemoveNetns(path("netns/p1")).ok());
}

TEST_F(NetworkTest, OwesADelThatFailedAndGoesOnPastIt) {
  Script("stubborn", "cat >/dev/null; [ $CNI_COMMAND = DEL ] && [ -e " + path("refuse") +
                         " ] && { echo '{\"code\": 11, \"msg\": \"later\"}'; exit 1; };"
                         "echo '{\"cniVersion\": \"1.0.0\", \"ips\": [{\"address\": "
                         "\"10.88.0.9/24\"}]}'");
  Configure({bridge_, {{"type", "stubborn"}}});
  Start();
  Write("refuse", "");
  ASSERT_TRUE(network_->Add(Request("p1")).ok());
  EXPECT_TRUE(absl::IsUnavailable(network_->Del("p1")));
  EXPECT_THAT(*network_->List(), ElementsAre("p1"));
  EXPECT_EQ(Shell("ls " + path("leases/bhtest") + " | grep ^10"), "");  // The bridge's DEL ran.
  EXPECT_TRUE(absl::IsFailedPrecondition(
      network_->Add({.pod_id = "p1", .netns = path("netns/p1")}).status()));
  std::filesystem::remove(path("refuse"));
  Remove("p1");
  EXPECT_THAT(*network_->List(), IsEmpty());
}

TEST_F(NetworkTest, RecordsTheIntentBeforeTheFirstPluginRuns) {
  Script("look", "cat >/dev/null; ls " + path("records") + " > " + path("seen") +
                     "; echo '{\"ips\": [{\"address\": \"10.0.0.1/8\"}]}'");
  Configure({{{"type", "look"}}});
  Start();
  ASSERT_TRUE(network_->Add(Request("p1")).ok());
  EXPECT_EQ(Read("seen"), "p1.json\n");
  Remove("p1");
}

TEST_F(NetworkTest, CancelsAnAddAndUndoesIt) {
  const int cancel = eventfd(0, EFD_CLOEXEC);
  Script("slow", "cat >/dev/null; echo $CNI_COMMAND >> " + path("calls") +
                     "; [ $CNI_COMMAND = DEL ] || sleep 60");
  Configure({{{"type", "slow"}}});
  Start();
  PodNetworkRequest request = Request("p1");
  request.cancel_fd = cancel;
  std::thread canceller([&] {
    while (Read("calls").empty()) std::this_thread::yield();
    eventfd_write(cancel, 1);
  });
  EXPECT_TRUE(absl::IsCancelled(network_->Add(request).status()));
  canceller.join();
  close(cancel);
  EXPECT_EQ(Read("calls"), "ADD\nDEL\n");
  EXPECT_THAT(*network_->List(), IsEmpty());
  EXPECT_TRUE(RemoveNetns(path("netns/p1")).ok());
}

TEST_F(NetworkTest, RefusesAResultWithoutAnAddressAndUndoesIt) {
  Script("empty", "cat >/dev/null; echo $CNI_COMMAND >> " + path("calls") + "; echo '{}'");
  Configure({{{"type", "empty"}}});
  Start();
  EXPECT_THAT(std::string(network_->Add(Request("p1")).status().message()),
              HasSubstr("no address for eth0"));
  EXPECT_EQ(Read("calls"), "ADD\nDEL\n");
  EXPECT_TRUE(RemoveNetns(path("netns/p1")).ok());
}

TEST_F(NetworkTest, IsNotReadyUntilThereIsAConfiguration) {
  Start();
  NetworkReadiness readiness = network_->Ready();
  EXPECT_FALSE(readiness.ready);
  EXPECT_EQ(readiness.reason, "NetworkPluginNotReady");
  EXPECT_EQ(readiness.message, "no CNI configuration in " + path("net.d"));
  const absl::Status status = network_->Add(Request("p1")).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(*network_->List(), IsEmpty());
  EXPECT_TRUE(RemoveNetns(path("netns/p1")).ok());
}

TEST_F(NetworkTest, AddsManyPodsSideBySideAndTakesThemAllAway) {
  Configure({bridge_, portmap_});
  Start();
  const std::string before = Settled();
  constexpr int kPods = 16;
  std::vector<std::thread> threads;
  std::vector<std::string> addresses(kPods);
  for (int i = 0; i < kPods; ++i) {
    threads.emplace_back([&, i] {
      PodNetworkRequest request = Request("p" + std::to_string(i));
      request.port_mappings = {{.container_port = 80, .host_port = 18000 + i}};
      const absl::StatusOr<PodNetworkResult> result = network_->Add(request);
      ASSERT_TRUE(result.ok()) << result.status();
      addresses[i] = result->ips[0];
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(std::set<std::string>(addresses.begin(), addresses.end()).size(), kPods);
  threads.clear();
  for (int i = 0; i < kPods; ++i) {
    threads.emplace_back([&, i] { Remove("p" + std::to_string(i)); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(Leftovers(), before);
}

}  // namespace
}  // namespace bulkhead::network
