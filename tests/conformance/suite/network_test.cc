// The pod's network.
#include <cctype>
#include <set>
#include <sstream>
#include <string>

#include "tests/conformance/fixture/pod_test.h"
#include "tests/conformance/fixture/tcp.h"

namespace bulkhead::fixture {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr char kServes[] = "while :; do echo reached | nc -l -p 8080; done";

class Network : public PodTest {
 protected:
  std::string IpOf(const Pod& pod) {
    return Must(cri().PodSandboxStatus(pod.id)).status().network().ip();
  }
  // A pod with a container that answers every connection to port 8080.
  Pod RunServer(const v1::PodSandboxConfig& config) {
    Pod pod = RunPod(config);
    Start(pod, Shell(kServes));
    return pod;
  }
  void AwaitReached(const std::string& ip, int port) {
    Await([&] { return AskTcp(ip, port) == "reached\n"; }, ip + ":" + std::to_string(port),
          std::chrono::seconds(15));
  }
};

TEST_F(Network, GivesThePodAnAddressOfItsOwn) {
  Pod one = RunPod();
  Pod two = RunPod();
  EXPECT_THAT(IpOf(one), testing::StartsWith("10.85."));
  EXPECT_NE(IpOf(one), IpOf(two));
  EXPECT_THAT(OutputOf(one, Shell("ip -4 addr show eth0")), HasSubstr(IpOf(one) + "/16"));
}

TEST_F(Network, GivesThePodAnIpv6AddressToo) {
  Pod pod = RunPod();
  auto status = Must(cri().PodSandboxStatus(pod.id)).status();
  ASSERT_EQ(status.network().additional_ips_size(), 1);
  EXPECT_THAT(status.network().additional_ips(0).ip(), testing::StartsWith("fd85::"));
}

TEST_F(Network, HasTheLoopbackLinkUp) {
  EXPECT_THAT(OutputOf(RunPod(), Shell("ip addr show lo")),
              testing::AllOf(HasSubstr("127.0.0.1/8"), HasSubstr("LOOPBACK,UP")));
}

TEST_F(Network, IsSharedByThePodsContainers) {
  Pod pod = RunServer(PodConfig());
  const std::string client = Start(pod, Idle());
  Await([&] { return Exec(client, "nc 127.0.0.1 8080 < /dev/null; true") == "reached\n"; },
        "the other container through the loopback link");
}

TEST_F(Network, LeadsFromTheHostToThePod) {
  Pod pod = RunServer(PodConfig());
  AwaitReached(IpOf(pod), 8080);
}

TEST_F(Network, LeadsFromPodToPod) {
  Pod server = RunServer(PodConfig());
  const std::string client = Start(RunPod(), Idle());
  Await(
      [&] { return Exec(client, "nc " + IpOf(server) + " 8080 < /dev/null; true") == "reached\n"; },
      "the other pod");
}

TEST_F(Network, MapsAPortOfTheHost) {
  auto config = PodConfig();
  auto* mapping = config.add_port_mappings();
  mapping->set_container_port(8080);
  mapping->set_host_port(12080);
  Pod pod = RunServer(config);
  AwaitReached("10.85.0.1", 12080);
  Must(cri().StopPodSandbox(pod.id));
  EXPECT_EQ(AskTcp("10.85.0.1", 12080), "");
}

TEST_F(Network, AMappingWithoutAHostPortMapsNothing) {
  auto config = PodConfig();
  config.add_port_mappings()->set_container_port(8080);
  Pod pod = RunServer(config);
  AwaitReached(IpOf(pod), 8080);
}

TEST_F(Network, MayBeTheHosts) {
  Pod pod = RunPod(HostNetworkPodConfig());
  EXPECT_EQ(OutputOf(pod, Shell("readlink /proc/self/ns/net")),
            std::filesystem::read_symlink("/proc/self/ns/net").string() + "\n");
  EXPECT_EQ(IpOf(pod), "");
}

TEST_F(Network, IsNotTheHostsOtherwise) {
  EXPECT_NE(OutputOf(RunPod(), Shell("readlink /proc/self/ns/net")),
            std::filesystem::read_symlink("/proc/self/ns/net").string() + "\n");
}

// Their numbers and names.
std::set<std::string> Links() {
  std::set<std::string> links;
  std::istringstream lines(RunCommand({"ip", "-o", "link"}));
  for (std::string line; std::getline(lines, line);) {
    // Other lines are warnings, such as of links that came while they were read.
    if (std::isdigit(static_cast<unsigned char>(line[0]))) {
      links.insert(line.substr(0, line.find('<')));
    }
  }
  return links;
}

TEST_F(Network, TakesItsLinkAwayWithThePod) {
  RunPod();  // The bridge itself stays after the first.
  const std::set<std::string> before = Links();
  Pod pod = RunPod();
  EXPECT_EQ(Links().size(), before.size() + 1);
  Must(cri().StopPodSandbox(pod.id));
  EXPECT_EQ(Links(), before);
}

}  // namespace
}  // namespace bulkhead::fixture
