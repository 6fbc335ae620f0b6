// CNI plugins and their configuration going wrong.
#include "tests/fault/fault_test.h"

namespace bulkhead::fault {
namespace {

using fixture::Must;
using testing::HasSubstr;

namespace v1 = ::runtime::v1;

class NetworkFault : public FaultTest {
 protected:
  void TearDown() override {
    SetNetwork("");
    AwaitNetwork(true);
    FaultTest::TearDown();
  }

  // The reason of the NetworkReady condition once it has this value.
  std::string AwaitNetwork(bool ready) {
    std::string reason;
    Await(
        [&] {
          const auto response = Must(cri().Status());
          for (const auto& condition : response.status().conditions()) {
            if (condition.type() != "NetworkReady" || condition.status() != ready) continue;
            reason = condition.reason() + ": " + condition.message();
            return true;
          }
          return false;
        },
        "the network's condition");
    return reason;
  }

  // The configuration in use shows in nothing but what pods get.
  void AwaitRefusal(const std::string& text) {
    Await(
        [&] {
          auto id = cri().RunPodSandbox(PodConfig());
          if (!id.ok()) return std::string(id.status().message()).find(text) != std::string::npos;
          Must(cri().StopPodSandbox(*id));
          Must(cri().RemovePodSandbox(*id));
          return false;
        },
        "a refusal that says " + text);
  }
};

TEST_F(NetworkFault, AFailingPluginFailsTheSandboxWithItsMessage) {
  InstallPlugin("failing", R"(
[ "$CNI_COMMAND" = VERSION ] && { echo '{"cniVersion":"1.0.0","supportedVersions":["1.0.0"]}'; exit; }
[ "$CNI_COMMAND" = ADD ] || exit 0
echo '{"cniVersion": "1.0.0", "code": 999, "msg": "no address left"}'; exit 1)");
  SetNetwork(NetworkOf("failing"));
  AwaitRefusal("no address left");
}

TEST_F(NetworkFault, AHangingPluginFailsTheSandboxInTime) {
  InstallPlugin("hanging", R"(
[ "$CNI_COMMAND" = ADD ] || exit 0
sleep 600)");
  const auto usual = daemon().options().cni_timeout;
  daemon().SetCniTimeout(std::chrono::seconds(5));
  Crash();
  SetNetwork(NetworkOf("hanging"));
  AwaitRefusal("hanging");
  daemon().SetCniTimeout(usual);
  Crash();
}

TEST_F(NetworkFault, AMissingPluginFailsTheSandboxWithItsName) {
  SetNetwork(NetworkOf("not-installed"));
  AwaitRefusal("not-installed");
}

TEST_F(NetworkFault, AFailingReleaseIsTriedAgainUntilItWorks) {
  const auto flag = folder() / "works-again";
  InstallPlugin("sticky", R"(
case "$CNI_COMMAND" in
ADD) echo '{"cniVersion": "1.0.0", "interfaces": [{"name": "eth0", "sandbox": "'$CNI_NETNS'"}],
  "ips": [{"address": "10.99.0.2/24", "interface": 0}]}' ;;
DEL) [ -e )" + flag.string() + R"( ] || { echo '{"code": 11, "msg": "try again"}'; exit 1; } ;;
esac)");
  SetNetwork(NetworkOf("sticky"));
  std::string id;
  Await(
      [&] {
        id = Must(cri().RunPodSandbox(PodConfig()));
        if (Must(cri().PodSandboxStatus(id)).status().network().ip() == "10.99.0.2") return true;
        Must(cri().StopPodSandbox(id));
        Must(cri().RemovePodSandbox(id));
        return false;
      },
      "a pod of the new network");
  EXPECT_FALSE(cri().StopPodSandbox(id).ok());
  fixture::WriteFile(flag, "");
  Must(cri().StopPodSandbox(id));
  Must(cri().RemovePodSandbox(id));
}

TEST_F(NetworkFault, WithoutAConfigurationTheNodeSaysSoAndRefusesPods) {
  std::filesystem::remove(daemon().options().cni_config / "10-bridge.conflist");
  EXPECT_THAT(AwaitNetwork(false), HasSubstr(daemon().options().cni_config.string()));
  EXPECT_FALSE(cri().RunPodSandbox(PodConfig()).ok());
  // A pod of the host's network needs none.
  Start(RunPod(HostNetworkPodConfig()), Idle());
}

}  // namespace
}  // namespace bulkhead::fault
