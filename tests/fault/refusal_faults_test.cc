// What a handler refuses leaves nothing on the host.
#include <functional>
#include <string>
#include <vector>

#include "tests/conformance/fixture/user_namespace.h"
#include "tests/fault/fault_test.h"

namespace bulkhead::fault {
namespace {

using fixture::Must;
using fixture::Pod;

namespace v1 = ::runtime::v1;

class Refusal : public FaultTest {
 protected:
  HostState Now() { return HostState::Take(Scope()); }

  void Expect(const absl::Status& refused, const HostState& before) {
    EXPECT_FALSE(refused.ok());
    ExpectBecomes(before, [this] { return Now(); });
  }
};

TEST_F(Refusal, OfAHardenedSandboxLeavesNothing) {
  if (!fixture::HasUserNamespaces(cri())) GTEST_SKIP() << "no ID-mapped mounts here";
  using Change = std::function<void(v1::LinuxSandboxSecurityContext&)>;
  const std::vector<Change> weaker = {
      [](auto& security) { security.set_privileged(true); },
      [](auto& security) { security.mutable_namespace_options()->set_network(v1::NODE); },
      [](auto& security) { security.mutable_namespace_options()->set_pid(v1::NODE); },
      [](auto& security) { security.mutable_namespace_options()->set_ipc(v1::NODE); },
      [](auto& security) { security.mutable_selinux_options()->set_type("spc_t"); },
  };
  const HostState before = Now();
  for (size_t i = 0; i < weaker.size(); ++i) {
    SCOPED_TRACE(i);
    auto config = PodConfig();
    weaker[i](*config.mutable_linux()->mutable_security_context());
    Expect(cri().RunPodSandbox(config, "hardened").status(), before);
  }
}

TEST_F(Refusal, OfAHardenedContainerLeavesNothing) {
  if (!fixture::HasUserNamespaces(cri())) GTEST_SKIP() << "no ID-mapped mounts here";
  const auto volume = [this](v1::ContainerConfig& config) {
    v1::Mount& mount = *config.add_mounts();
    mount.set_container_path("/data");
    mount.set_host_path(folder());
    return &mount;
  };
  const auto security = [](v1::ContainerConfig& config) {
    return config.mutable_linux()->mutable_security_context();
  };
  using Change = std::function<void(v1::ContainerConfig&)>;
  const std::vector<Change> weaker = {
      [&](auto& config) { security(config)->set_privileged(true); },
      [&](auto& config) { security(config)->mutable_namespace_options()->set_pid(v1::NODE); },
      [&](auto& config) {
        security(config)->mutable_seccomp()->set_profile_type(v1::SecurityProfile::Unconfined);
      },
      [&](auto& config) {
        security(config)->mutable_seccomp()->set_profile_type(v1::SecurityProfile::Localhost);
        security(config)->mutable_seccomp()->set_localhost_ref("/no/such/profile");
      },
      [&](auto& config) {
        security(config)->mutable_apparmor()->set_profile_type(v1::SecurityProfile::Unconfined);
      },
      [&](auto& config) {
        security(config)->mutable_capabilities()->add_add_capabilities("NET_RAW");
      },
      [&](auto& config) { security(config)->mutable_run_as_user()->set_value(65536); },
      [&](auto& config) { security(config)->mutable_selinux_options()->set_level("s0-s0:c0.c9"); },
      [&](auto& config) { volume(config)->set_propagation(v1::PROPAGATION_BIDIRECTIONAL); },
      [&](auto& config) { volume(config)->set_host_path("/sys/kernel"); },
      [&](auto& config) {
        auto& unified = *config.mutable_linux()->mutable_resources()->mutable_unified();
        unified["pids.max"] = "max";
      },
  };
  const auto pod_config = PodConfig();
  const Pod pod{Must(cri().RunPodSandbox(pod_config, "hardened")), pod_config};
  RemoveAtEnd(pod.id);
  // The pod's own cgroup comes with its first container, and stays.
  const auto first = Must(cri().CreateContainer(pod.id, Idle(), pod.config));
  ASSERT_TRUE(cri().RemoveContainer(first).ok());
  const HostState before = Now();
  for (size_t i = 0; i < weaker.size(); ++i) {
    SCOPED_TRACE(i);
    auto config = Idle();
    weaker[i](config);
    Expect(cri().CreateContainer(pod.id, config, pod.config).status(), before);
  }
}

}  // namespace
}  // namespace bulkhead::fault
