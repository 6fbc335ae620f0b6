#include "shim/network/cni_request.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bulkhead::network {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

PodNetworkRequest Request() {
  return {.pod_id = "0123abcd",
          .pod_name = "web",
          .pod_namespace = "default",
          .pod_uid = "u-1",
          .netns = "/run/netns/x"};
}

std::string ErrorOf(const PodNetworkRequest& request) {
  return std::string(CheckPodNetworkRequest(request).message());
}

TEST(MakeAttachment, TellsPluginsWhichPodItIs) {
  const CniAttachment attachment = MakeAttachment(Request());
  EXPECT_EQ(attachment.container_id, "0123abcd");
  EXPECT_EQ(attachment.netns, "/run/netns/x");
  EXPECT_EQ(attachment.interface, "eth0");
  EXPECT_EQ(attachment.args,
            "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web;"
            "K8S_POD_INFRA_CONTAINER_ID=0123abcd;K8S_POD_UID=u-1");
}

TEST(MakeCapabilities, HasNoEntryForWhatWasNotAskedFor) {
  EXPECT_EQ(MakeCapabilities(Request()), json::object());
}

TEST(MakeCapabilities, FollowsTheConventions) {
  PodNetworkRequest request = Request();
  request.port_mappings = {
      {.protocol = "udp", .container_port = 53, .host_port = 5353, .host_ip = "127.0.0.1"},
      {.container_port = 80, .host_port = 8080}};
  request.bandwidth = Bandwidth{.ingress_rate = 1000, .ingress_burst = 2000};
  request.ips = {"10.0.0.9/24"};
  request.mac = "02:00:00:00:00:01";
  request.dns = {.nameservers = {"10.0.0.1"}, .searches = {"a"}, .options = {"ndots:5"}};
  request.cgroup_path = "/kubepods/pod1";
  request.annotations = {{"k", "v"}};
  EXPECT_EQ(MakeCapabilities(request), json::parse(R"({
      "portMappings": [
        {"hostPort": 5353, "containerPort": 53, "protocol": "udp", "hostIP": "127.0.0.1"},
        {"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}],
      "bandwidth": {"ingressRate": 1000, "ingressBurst": 2000},
      "ips": ["10.0.0.9/24"], "mac": "02:00:00:00:00:01",
      "dns": {"servers": ["10.0.0.1"], "searches": ["a"], "options": ["ndots:5"]},
      "cgroupPath": "/kubepods/pod1",
      "io.kubernetes.cri.pod-annotations": {"k": "v"}})"));
}

TEST(MakeCapabilities, LeavesOutPortsThatAreNotMappedToTheHost) {
  PodNetworkRequest request = Request();
  request.port_mappings = {{.container_port = 80}};
  EXPECT_EQ(MakeCapabilities(request), json::object());
}

TEST(CheckPodNetworkRequest, NamesTheFieldAndTheValueAtFault) {
  EXPECT_TRUE(CheckPodNetworkRequest(Request()).ok());
  PodNetworkRequest request = Request();
  request.pod_id = "../x";
  EXPECT_THAT(ErrorOf(request), HasSubstr("pod id \"../x\""));
  request = Request();
  request.pod_name = "a;K8S_POD_UID=0";
  EXPECT_THAT(ErrorOf(request), HasSubstr("metadata.name \"a;K8S_POD_UID=0\""));
  request = Request();
  request.port_mappings = {{.protocol = "icmp", .container_port = 1}};
  EXPECT_THAT(ErrorOf(request), HasSubstr("port_mappings.protocol \"icmp\""));
  request.port_mappings = {{.container_port = 65536}};
  EXPECT_THAT(ErrorOf(request), HasSubstr("port_mappings.container_port \"65536\""));
  request.port_mappings = {{.container_port = 1, .host_port = -1}};
  EXPECT_THAT(ErrorOf(request), HasSubstr("port_mappings.host_port \"-1\""));
}

}  // namespace
}  // namespace bulkhead::network
