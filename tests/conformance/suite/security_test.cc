// What a container may do.
#include <sys/stat.h>

#include <filesystem>

#include "tests/conformance/fixture/pod_test.h"
#include "tests/conformance/fixture/user_namespace.h"

namespace bulkhead::fixture {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr uint64_t Bit(int capability) { return uint64_t{1} << capability; }

// capability.h's numbers.
constexpr int kChown = 0;
constexpr int kNetAdmin = 12;
constexpr int kSysAdmin = 21;

class Security : public PodTest {
 protected:
  static v1::LinuxContainerSecurityContext& Of(v1::ContainerConfig& config) {
    return *config.mutable_linux()->mutable_security_context();
  }
  // A field of /proc/self/status as the container's process has it.
  std::string StatusField(const std::string& field, v1::ContainerConfig config,
                          bool privileged_pod = false) {
    config.clear_command();
    for (const char* word : {"sh", "-c"}) config.add_command(word);
    config.add_command("grep ^" + field + ": /proc/self/status | cut -f2");
    auto pod_config = PodConfig();
    pod_config.mutable_linux()->mutable_security_context()->set_privileged(privileged_pod);
    return OutputOf(RunPod(pod_config), config);
  }
  uint64_t Effective(const v1::ContainerConfig& config, bool privileged_pod = false) {
    return std::stoull(StatusField("CapEff", config, privileged_pod), nullptr, 16);
  }
};

TEST_F(Security, HasTheDefaultCapabilities) {
  const uint64_t effective = Effective(Shell(""));
  EXPECT_TRUE(effective & Bit(kChown));
  EXPECT_FALSE(effective & (Bit(kSysAdmin) | Bit(kNetAdmin)));
}

TEST_F(Security, GainsAnAddedCapability) {
  auto config = Shell("");
  Of(config).mutable_capabilities()->add_add_capabilities("NET_ADMIN");
  EXPECT_TRUE(Effective(config) & Bit(kNetAdmin));
}

TEST_F(Security, LosesADroppedCapability) {
  auto config = Shell("");
  Of(config).mutable_capabilities()->add_drop_capabilities("CHOWN");
  EXPECT_FALSE(Effective(config) & Bit(kChown));
}

TEST_F(Security, LosesEveryCapability) {
  auto config = Shell("");
  Of(config).mutable_capabilities()->add_drop_capabilities("ALL");
  EXPECT_EQ(Effective(config), 0u);
}

TEST_F(Security, KeepsWhatIsAddedToAllDropped) {
  auto config = Shell("");
  Of(config).mutable_capabilities()->add_drop_capabilities("ALL");
  Of(config).mutable_capabilities()->add_add_capabilities("CHOWN");
  EXPECT_EQ(Effective(config), Bit(kChown));
}

TEST_F(Security, GainsEveryCapabilityThatTheBoundingSetHas) {
  auto config = Shell("");
  Of(config).mutable_capabilities()->add_add_capabilities("ALL");
  EXPECT_TRUE(Effective(config) & Bit(kSysAdmin));
}

TEST_F(Security, ANonRootUserHasNoEffectiveCapability) {
  auto config = Shell("");
  Of(config).mutable_run_as_user()->set_value(1000);
  EXPECT_EQ(Effective(config), 0u);
}

TEST_F(Security, PrivilegedHasEveryCapabilityAndDevice) {
  auto config = Shell("");
  Of(config).set_privileged(true);
  EXPECT_TRUE(Effective(config, true) & Bit(kSysAdmin));
}

TEST_F(Security, PrivilegedSeesTheHostsDevices) {
  auto config = Shell("test -c /dev/kmsg -o -c /dev/fuse && echo device");
  Of(config).set_privileged(true);
  auto pod_config = PodConfig();
  pod_config.mutable_linux()->mutable_security_context()->set_privileged(true);
  EXPECT_EQ(OutputOf(RunPod(pod_config), config), "device\n");
}

TEST_F(Security, PrivilegedIsRefusedInAPodThatIsNot) {
  Pod pod = RunPod();
  auto config = Shell("true");
  Of(config).set_privileged(true);
  EXPECT_FALSE(cri().CreateContainer(pod.id, config, pod.config).ok());
}

TEST_F(Security, NoNewPrivilegesIsSetAsAsked) {
  auto config = Shell("");
  EXPECT_EQ(StatusField("NoNewPrivs", config), "0\n");
  Of(config).set_no_new_privs(true);
  EXPECT_EQ(StatusField("NoNewPrivs", config), "1\n");
}

TEST_F(Security, TheDefaultSeccompProfileIsAFilter) {
  auto config = Shell("");
  Of(config).mutable_seccomp()->set_profile_type(v1::SecurityProfile::RuntimeDefault);
  EXPECT_EQ(StatusField("Seccomp", config), "2\n");
}

TEST_F(Security, UnconfinedHasNoSeccompFilter) {
  auto config = Shell("");
  Of(config).mutable_seccomp()->set_profile_type(v1::SecurityProfile::Unconfined);
  EXPECT_EQ(StatusField("Seccomp", config), "0\n");
}

TEST_F(Security, WithoutAProfileThereIsNoSeccompFilter) {
  EXPECT_EQ(StatusField("Seccomp", Shell("")), "0\n");
}

TEST_F(Security, ALocalSeccompProfileIsEnforced) {
  const auto profile = folder() / "no-sethostname.json";
  WriteFile(profile, R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls":
      [{"names": ["sethostname"], "action": "SCMP_ACT_ERRNO"}]})");
  auto config = Shell("hostname changed || echo refused");
  Of(config).mutable_capabilities()->add_add_capabilities("SYS_ADMIN");
  Of(config).mutable_seccomp()->set_profile_type(v1::SecurityProfile::Localhost);
  Of(config).mutable_seccomp()->set_localhost_ref(profile);
  Pod pod = RunPod();
  auto created = cri().CreateContainer(pod.id, config, pod.config);
  if (created.status().code() == absl::StatusCode::kUnimplemented) {
    GTEST_SKIP() << created.status().message();
  }
  const std::string id = Must(created);
  Must(cri().StartContainer(id));
  AwaitExit(id);
  EXPECT_EQ(client::StreamOf(Log(id), "stdout"), "refused\n");
}

TEST_F(Security, AMissingLocalSeccompProfileFailsTheContainer) {
  Pod pod = RunPod();
  auto config = Shell("true");
  Of(config).mutable_seccomp()->set_profile_type(v1::SecurityProfile::Localhost);
  Of(config).mutable_seccomp()->set_localhost_ref(folder() / "missing.json");
  auto created = cri().CreateContainer(pod.id, config, pod.config);
  EXPECT_FALSE(created.ok() && cri().StartContainer(*created).ok());
}

TEST_F(Security, MaskedPathsAreMaskedAsSent) {
  auto config = Shell("cat /proc/keys | wc -c; ls /sys/kernel | wc -l");
  Of(config).add_masked_paths("/proc/keys");
  Of(config).add_masked_paths("/sys/kernel");
  Of(config).add_masked_paths("/proc/not-there");
  EXPECT_EQ(OutputOf(RunPod(), config), "0\n0\n");
}

TEST_F(Security, AnEmptyListOfMaskedPathsIsNone) {
  auto config = Shell("cut -d' ' -f2 /proc/mounts; cat /proc/keys > /dev/null && ls /sys/kernel");
  const std::string output = OutputOf(RunPod(), config);
  EXPECT_THAT(output, Not(HasSubstr("/proc/")));
  EXPECT_THAT(output, HasSubstr("mm\n"));
}

TEST_F(Security, ReadonlyPathsAreReadOnlyAsSent) {
  auto config = Shell("echo 1 > /proc/sys/kernel/shm_rmid_forced || echo refused");
  Of(config).add_readonly_paths("/proc/sys");
  EXPECT_EQ(OutputOf(RunPod(), config), "refused\n");
}

TEST_F(Security, AReadonlyRootTakesNoFile) {
  auto config = Shell("touch /file || echo refused; touch /dev/shm/file && echo taken");
  Of(config).set_readonly_rootfs(true);
  EXPECT_EQ(OutputOf(RunPod(), config), "refused\ntaken\n");
}

TEST_F(Security, AnOrdinaryRootIsWritable) {
  EXPECT_EQ(OutputOf(RunPod(), Shell("echo x > /file && cat /file")), "x\n");
}

TEST_F(Security, TheImageIsNotChangedByAContainer) {
  Pod pod = RunPod();
  OutputOf(pod, Shell("rm -r /srv && echo spoiled > /etc/passwd"));
  EXPECT_THAT(OutputOf(pod, Shell("ls -d /srv; head -1 /etc/passwd")),
              testing::AllOf(HasSubstr("/srv\n"), HasSubstr("root:x:0:0")));
}

TEST_F(Security, SysIsReadOnlyUnlessPrivileged) {
  EXPECT_THAT(OutputOf(RunPod(), Shell("grep ' /sys ' /proc/mounts")), HasSubstr(" sysfs ro,"));
}

TEST_F(Security, DevicesThatWereNotGivenCannotBeUsed) {
  // 1:11 is /dev/kmsg.
  EXPECT_EQ(OutputOf(RunPod(), Shell("mknod /tmp/kmsg c 1 11; cat /tmp/kmsg 2> /dev/null | "
                                     "head -c 1 | wc -c")),
            "0\n");
}

// Pods with a user namespace of their own.
class UserNamespaces : public PodTest {
 protected:
  void SetUp() override {
    if (!HasUserNamespaces(cri())) GTEST_SKIP() << "the runtime has no user namespaces here";
  }

  v1::PodSandboxConfig MappedPodConfig() {
    auto config = PodConfig();
    *NamespacesOf(config).mutable_userns_options() = MappedUserNamespace();
    return config;
  }
  static v1::NamespaceOption& NamespacesOf(v1::PodSandboxConfig& config) {
    return *config.mutable_linux()->mutable_security_context()->mutable_namespace_options();
  }
  // A container in the namespaces of its pod, as a kubelet asks for it.
  v1::ContainerConfig MappedShell(const std::string& script) {
    auto config = Shell(script);
    *config.mutable_linux()
         ->mutable_security_context()
         ->mutable_namespace_options()
         ->mutable_userns_options() = MappedUserNamespace();
    return config;
  }
};

TEST_F(UserNamespaces, ContainersAreMappedAndSeeTheirOwnIds) {
  EXPECT_EQ(OutputOf(RunPod(MappedPodConfig()),
                     MappedShell("set -- $(cat /proc/self/uid_map); echo $1 $2 $3; id -u; "
                                 "touch /mine && stat -c %u:%g /mine /etc/hosts /etc/resolv.conf")),
            "0 131072 65536\n0\n0:0\n0:0\n0:0\n");
}

TEST_F(UserNamespaces, ExecsAreMappedToo) {
  auto config = Idle();
  const std::string id = Start(RunPod(MappedPodConfig()), config);
  EXPECT_EQ(Exec(id, "set -- $(cat /proc/self/gid_map); echo $1 $2 $3"), "0 131072 65536\n");
  EXPECT_EQ(Exec(id, "readlink /proc/self/ns/user"), Exec(id, "readlink /proc/1/ns/user"));
}

TEST_F(UserNamespaces, TheStatusTellsTheMaps) {
  const Pod pod = RunPod(MappedPodConfig());
  const auto status = Must(cri().PodSandboxStatus(pod.id));
  const v1::UserNamespace& space = status.status().linux().namespaces().options().userns_options();
  EXPECT_EQ(space.SerializeAsString(), MappedUserNamespace().SerializeAsString());
}

TEST_F(UserNamespaces, AVolumeWithTheMapsKeepsTheHostsOwners) {
  auto config = MappedShell("stat -c %u /data/old && touch /data/new");
  std::filesystem::create_directory(folder() / "volume");
  WriteFile(folder() / "volume/old", "x");
  v1::Mount& mount = *config.add_mounts();
  mount.set_container_path("/data");
  mount.set_host_path(folder() / "volume");
  AddMap(*mount.mutable_uidmappings());
  AddMap(*mount.mutable_gidmappings());
  EXPECT_EQ(OutputOf(RunPod(MappedPodConfig()), config), "0\n");
  struct stat st = {};
  ASSERT_EQ(stat((folder() / "volume/new").c_str(), &st), 0);
  EXPECT_EQ(st.st_uid, 0u);
}

TEST_F(UserNamespaces, NetworkAndSysctlsAreThePods) {
  auto pod = MappedPodConfig();
  (*pod.mutable_linux()->mutable_sysctls())["net.ipv4.ip_local_port_range"] = "1024 64999";
  auto config = MappedShell(
      "cat /proc/sys/net/ipv4/ip_local_port_range; "
      "echo 1 > /proc/sys/net/ipv4/ip_forward && echo written");
  v1::LinuxContainerSecurityContext& security = *config.mutable_linux()->mutable_security_context();
  security.mutable_capabilities()->add_add_capabilities("NET_ADMIN");
  // Where there is AppArmor, its default profile has no sysctl written.
  security.mutable_apparmor()->set_profile_type(v1::SecurityProfile::Unconfined);
  EXPECT_EQ(OutputOf(RunPod(pod), config), "1024\t64999\nwritten\n");
}

TEST_F(UserNamespaces, NodeIsTheHosts) {
  auto pod = PodConfig();
  NamespacesOf(pod).mutable_userns_options()->set_mode(v1::NODE);
  EXPECT_EQ(OutputOf(RunPod(pod), Shell("set -- $(cat /proc/self/uid_map); echo $1 $2")), "0 0\n");
}

TEST_F(UserNamespaces, WhatIsNoneIsRefused) {
  const auto refused = [this](const v1::PodSandboxConfig& config) {
    const auto run = cri().RunPodSandbox(config);
    if (run.ok()) RemoveAtEnd(*run);
    return !run.ok();
  };
  auto two = MappedPodConfig();
  AddMap(*NamespacesOf(two).mutable_userns_options()->mutable_uids());
  EXPECT_TRUE(refused(two));
  auto none = MappedPodConfig();
  NamespacesOf(none).mutable_userns_options()->clear_gids();
  EXPECT_TRUE(refused(none));
  auto container = MappedPodConfig();
  NamespacesOf(container).mutable_userns_options()->set_mode(v1::CONTAINER);
  EXPECT_TRUE(refused(container));
}

}  // namespace
}  // namespace bulkhead::fixture
