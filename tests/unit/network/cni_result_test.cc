#include "shim/network/cni_result.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bulkhead::network {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(ReadCniResult, TakesTheAddressesOfThePodsInterfaceInTheirOrder) {
  const absl::StatusOr<PodNetworkResult> result = ReadCniResult(json::parse(R"({
      "cniVersion": "1.0.0",
      "interfaces": [{"name": "cni0", "mac": "aa:aa:aa:aa:aa:aa"},
                     {"name": "eth0", "mac": "bb:bb:bb:bb:bb:bb", "sandbox": "/run/netns/p"}],
      "ips": [{"interface": 0, "address": "10.0.0.1/24"},
              {"interface": 1, "address": "fd00::2/64"},
              {"interface": 1, "address": "10.0.0.2/24"},
              {"address": "10.0.0.3/24"},
              {"interface": 7, "address": "10.0.0.4/24"}],
      "dns": {"nameservers": ["10.0.0.10"], "domain": "d", "search": ["s"], "options": ["o"]}})"),
                                                                "eth0");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->ips, ElementsAre("fd00::2", "10.0.0.2", "10.0.0.3"));
  EXPECT_THAT(result->macs, ElementsAre("bb:bb:bb:bb:bb:bb"));
  EXPECT_EQ(result->dns, (DnsConfig{{"10.0.0.10"}, "d", {"s"}, {"o"}}));
  EXPECT_EQ(json::parse(result->result)["cniVersion"], "1.0.0");
}

TEST(ReadCniResult, ReadsTheFormatOf031) {
  const absl::StatusOr<PodNetworkResult> result = ReadCniResult(
      json::parse(
          R"({"cniVersion": "0.3.1", "ips": [{"version": "4", "address": "10.1.0.2/16"}]})"),
      "eth0");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->ips, ElementsAre("10.1.0.2"));
  EXPECT_TRUE(result->dns.empty());
}

TEST(ReadCniResult, RefusesAResultThatGivesThePodNoAddress) {
  EXPECT_THAT(std::string(ReadCniResult(json::object(), "eth0").status().message()),
              HasSubstr("no address for eth0"));
  EXPECT_FALSE(ReadCniResult(json::array(), "eth0").ok());
  EXPECT_FALSE(ReadCniResult(json::parse(R"({"ips": "10.0.0.1"})"), "eth0").ok());
}

TEST(ReadCniResult, RefusesInterfacesThatAreNoArray) {
  const json result = json::parse(
      R"({"interfaces": {"a": 1}, "ips": [{"address": "10.0.0.1/24", "interface": 0}]})");
  EXPECT_THAT(std::string(ReadCniResult(result, "eth0").status().message()),
              HasSubstr("interfaces"));
}

TEST(ReadCniResult, RefusesWhatIsNoAddress) {
  EXPECT_THAT(
      std::string(ReadCniResult(json::parse(R"({"ips": [{"address": "10.0.0/24"}]})"), "eth0")
                      .status()
                      .message()),
      HasSubstr("\"10.0.0/24\""));
}

}  // namespace
}  // namespace bulkhead::network
