// Handlers: pods as their profiles isolate them.
#include <sys/stat.h>

#include <filesystem>
#include <set>

#include "tests/conformance/fixture/pod_test.h"
#include "tests/conformance/fixture/user_namespace.h"

namespace bulkhead::fixture {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// The first id of isolation.first_host_id's default.
constexpr uint32_t kFirst = 0x70000000;

// Of our own daemon, whose configuration is the fixture's.
class Profiles : public PodTest {
 protected:
  void SetUp() override {
    if (suite().daemon() == nullptr) GTEST_SKIP() << "another runtime has other handlers";
    if (!HasUserNamespaces(cri())) GTEST_SKIP() << "the runtime has no user namespaces here";
  }

  Pod RunIn(const std::string& handler, const v1::PodSandboxConfig& config) {
    Pod pod{Must(cri().RunPodSandbox(config, handler)), config};
    RemoveAtEnd(pod.id);
    return pod;
  }
  // As the kubelet says of a pod that asks for no user namespace.
  v1::PodSandboxConfig KubeletsPodConfig() {
    auto config = PodConfig();
    NamespacesOf(config).mutable_userns_options()->set_mode(v1::NODE);
    return config;
  }
  Pod RunHardened() { return RunIn("hardened", KubeletsPodConfig()); }
  static v1::NamespaceOption& NamespacesOf(v1::PodSandboxConfig& config) {
    return *config.mutable_linux()->mutable_security_context()->mutable_namespace_options();
  }
  static v1::LinuxContainerSecurityContext& Of(v1::ContainerConfig& config) {
    return *config.mutable_linux()->mutable_security_context();
  }
  uint32_t FirstIdOf(const std::string& pod_id) {
    const auto status = Must(cri().PodSandboxStatus(pod_id)).status();
    const auto& space = status.linux().namespaces().options().userns_options();
    EXPECT_EQ(space.mode(), v1::POD);
    return space.uids_size() == 1 ? space.uids(0).host_id() : 0;
  }
  std::string SandboxRefusal(const v1::PodSandboxConfig& config) {
    const auto run = cri().RunPodSandbox(config, "hardened");
    if (run.ok()) RemoveAtEnd(*run);
    EXPECT_EQ(run.status().code(), absl::StatusCode::kInvalidArgument) << run.status();
    return std::string(run.status().message());
  }
  std::string Refusal(const Pod& pod, const v1::ContainerConfig& config) {
    const auto made = cri().CreateContainer(pod.id, config, pod.config);
    EXPECT_FALSE(made.ok());
    return std::string(made.status().message());
  }
};

TEST_F(Profiles, AreToldByTheStatusWithTheirFeatures) {
  std::set<std::string> names;
  const v1::StatusResponse status = Must(cri().Status());
  for (const v1::RuntimeHandler& handler : status.runtime_handlers()) {
    names.insert(handler.name());
    EXPECT_TRUE(handler.features().user_namespaces());
    EXPECT_TRUE(handler.features().recursive_read_only_mounts());
  }
  EXPECT_EQ(names, (std::set<std::string>{"", "dev", "hardened"}));
}

TEST_F(Profiles, AnUnknownHandlerIsNotFoundAndTheKnownOnesAreNamed) {
  const auto run = cri().RunPodSandbox(PodConfig(), "gvisor");
  EXPECT_EQ(run.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(run.status().message()), HasSubstr("\"\", \"dev\", \"hardened\""));
}

TEST_F(Profiles, AreToldByTheSandboxsStatusAndItsList) {
  const Pod pod = RunHardened();
  EXPECT_EQ(Must(cri().PodSandboxStatus(pod.id)).status().runtime_handler(), "hardened");
  v1::PodSandboxFilter filter;
  filter.set_id(pod.id);
  EXPECT_EQ(Must(cri().ListPodSandbox(filter)).at(0).runtime_handler(), "hardened");
}

TEST_F(Profiles, AHardenedContainerHasAUserNamespaceOfTheConfiguredIds) {
  const Pod pod = RunHardened();
  auto config = Idle();
  // The kubelet repeats what it knows of the pod.
  Of(config).mutable_namespace_options()->mutable_userns_options()->set_mode(v1::NODE);
  const std::string id = Must(cri().CreateContainer(pod.id, config, pod.config));
  Must(cri().StartContainer(id));
  const std::string map = "0 " + std::to_string(FirstIdOf(pod.id)) + " 65536\n";
  EXPECT_GE(FirstIdOf(pod.id), kFirst);
  EXPECT_EQ(Exec(id, "set -- $(cat /proc/self/uid_map); echo $1 $2 $3"), map);
  EXPECT_EQ(Exec(id, "set -- $(cat /proc/1/gid_map); echo $1 $2 $3"), map);
}

TEST_F(Profiles, AHardenedContainerHasNoNewPrivilegesAFilterAndFewCapabilities) {
  const std::string status = OutputOf(RunHardened(), Shell("cat /proc/self/status"));
  EXPECT_THAT(status, HasSubstr("NoNewPrivs:\t1\n"));
  EXPECT_THAT(status, HasSubstr("Seccomp:\t2\n"));
  // CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, NET_BIND_SERVICE.
  EXPECT_THAT(status, HasSubstr("CapBnd:\t00000000000004fb\n"));
  EXPECT_THAT(status, HasSubstr("CapEff:\t00000000000004fb\n"));
}

TEST_F(Profiles, ACommandInAHardenedContainerIsAsConfinedAsIt) {
  const std::string id = Start(RunHardened(), Idle());
  const std::string status = Exec(id, "cat /proc/self/status; probe calls");
  EXPECT_THAT(status, AllOf(HasSubstr("NoNewPrivs:\t1\n"), HasSubstr("Seccomp:\t2\n"),
                            HasSubstr("CapBnd:\t00000000000004fb\n")));
  EXPECT_THAT(status, AllOf(HasSubstr("io_uring_setup EPERM\n"), HasSubstr("unshare EPERM\n")));
}

TEST_F(Profiles, AHardenedContainerCannotCallWhatWidensTheKernelsSurface) {
  EXPECT_EQ(OutputOf(RunHardened(), Command({"probe", "calls"})),
            "io_uring_setup EPERM\nbpf EPERM\nperf_event_open EPERM\nkeyctl EPERM\n"
            "add_key EPERM\nrequest_key EPERM\nuserfaultfd EPERM\nclone ENOSYS\n"
            "clone3 ENOSYS\nsocket ENOSYS\nunshare EPERM\n");
}

TEST_F(Profiles, AnUnconfinedContainerOfTheDefaultHandlerCanCallIt) {
  const std::string calls = OutputOf(RunPod(), Command({"probe", "calls"}));
  EXPECT_THAT(calls, AllOf(HasSubstr("clone ok\n"), HasSubstr("unshare ok\n"),
                           HasSubstr("userfaultfd EINVAL\n"), HasSubstr("add_key EFAULT\n")));
}

TEST_F(Profiles, TheDebugHandlerLetsThroughWhatTheDefaultProfileRefuses) {
  auto config = Command({"probe", "calls"});
  Of(config).mutable_seccomp()->set_profile_type(v1::SecurityProfile::RuntimeDefault);
  EXPECT_THAT(OutputOf(RunPod(), config), HasSubstr("add_key EPERM\n"));
  config.mutable_metadata()->set_attempt(1);
  EXPECT_THAT(OutputOf(RunIn("dev", PodConfig()), config),
              AllOf(HasSubstr("add_key EFAULT\n"), HasSubstr("unshare ok\n")));
}

TEST_F(Profiles, AHardenedContainersVolumeIsItsOwnThoughTheKubeletSentNoMaps) {
  std::filesystem::create_directory(folder() / "volume");
  WriteFile(folder() / "volume/old", "x");
  auto config = Shell("stat -c %u:%g /data/old && touch /data/new && chown 1000:1000 /data/new");
  v1::Mount& mount = *config.add_mounts();
  mount.set_container_path("/data");
  mount.set_host_path(folder() / "volume");
  EXPECT_EQ(OutputOf(RunHardened(), config), "0:0\n");
  struct stat st = {};
  ASSERT_EQ(stat((folder() / "volume/new").c_str(), &st), 0);
  EXPECT_EQ(st.st_uid, 1000u);
  EXPECT_EQ(st.st_gid, 1000u);
}

TEST_F(Profiles, AHardenedContainerHasNoVolumeOfAFileSystemThatMapsNoIds) {
  const Pod pod = RunHardened();
  auto config = Shell("true");
  v1::Mount& mount = *config.add_mounts();
  mount.set_container_path("/data");
  mount.set_host_path("/sys/kernel");
  EXPECT_THAT(Refusal(pod, config),
              AllOf(HasSubstr("/data"), HasSubstr("its file system has no ID-mapped mounts")));
  EXPECT_TRUE(Must(cri().ListContainers()).empty());
}

TEST_F(Profiles, AHardenedContainerSeesSysReadOnlyAndTheUsualPathsMasked) {
  EXPECT_EQ(OutputOf(RunHardened(), Shell("grep -o ' /sys sysfs ro,' /proc/mounts; "
                                          "ls /sys/firmware | wc -l; wc -c < /proc/keys; "
                                          "echo 1 > /proc/sys/net/ipv4/ip_forward || echo no")),
            " /sys sysfs ro,\n0\n0\nno\n");
}

TEST_F(Profiles, AHardenedContainerHasBoundedProcesses) {
  const Pod pod = RunHardened();
  const std::string id = Start(pod, Command({"probe", "fork-forever"}));
  // The limit is the container's: another one of the pod is not kept from starting.
  EXPECT_EQ(OutputOf(pod, Shell("echo lives")), "lives\n");
  Must(cri().StopContainer(id, std::chrono::seconds(0)));
}

TEST_F(Profiles, AHardenedPodIsRefusedTheHost) {
  auto network = HostNetworkPodConfig();
  EXPECT_THAT(SandboxRefusal(network), HasSubstr("namespace_options.network: NODE"));
  auto pid = PodConfig();
  NamespacesOf(pid).set_pid(v1::NODE);
  EXPECT_THAT(SandboxRefusal(pid), HasSubstr("namespace_options.pid: NODE"));
  auto ipc = PodConfig();
  NamespacesOf(ipc).set_ipc(v1::NODE);
  EXPECT_THAT(SandboxRefusal(ipc), HasSubstr("namespace_options.ipc: NODE"));
  auto privileged = PodConfig();
  privileged.mutable_linux()->mutable_security_context()->set_privileged(true);
  EXPECT_THAT(SandboxRefusal(privileged), HasSubstr("security_context.privileged: true"));
}

TEST_F(Profiles, AHardenedContainerIsRefusedWhatWeakensIt) {
  const Pod pod = RunHardened();
  auto privileged = Shell("true");
  Of(privileged).set_privileged(true);
  EXPECT_THAT(Refusal(pod, privileged), HasSubstr("security_context.privileged: true"));
  auto unconfined = Shell("true");
  Of(unconfined).mutable_seccomp()->set_profile_type(v1::SecurityProfile::Unconfined);
  EXPECT_THAT(Refusal(pod, unconfined), HasSubstr("seccomp.profile_type: Unconfined"));
  auto capability = Shell("true");
  Of(capability).mutable_capabilities()->add_add_capabilities("NET_RAW");
  EXPECT_THAT(Refusal(pod, capability), HasSubstr("add_capabilities[0]: \"NET_RAW\""));
  auto shared = Shell("true");
  v1::Mount& mount = *shared.add_mounts();
  mount.set_container_path("/data");
  mount.set_host_path(folder());
  mount.set_propagation(v1::PROPAGATION_BIDIRECTIONAL);
  EXPECT_THAT(Refusal(pod, shared), HasSubstr("mounts[0].propagation: BIDIRECTIONAL"));
  auto high = Shell("true");
  Of(high).mutable_run_as_user()->set_value(65536);
  EXPECT_THAT(Refusal(pod, high), HasSubstr("run_as_user: 65536 is not mapped"));
  EXPECT_TRUE(Must(cri().ListContainers()).empty());
  EXPECT_EQ(OutputOf(pod, Shell("echo lives")), "lives\n");
}

TEST_F(Profiles, HardenedPodsNeverShareIdsWhichAreGivenBack) {
  std::set<uint32_t> ids;
  std::vector<std::string> pods;
  for (int i = 0; i < suite().daemon()->options().host_id_ranges; ++i) {
    pods.push_back(RunHardened().id);
    ids.insert(FirstIdOf(pods.back()));
  }
  EXPECT_EQ(ids.size(), pods.size());
  suite().daemon()->Kill();
  suite().daemon()->Start();
  for (const std::string& pod : pods) EXPECT_EQ(ids.count(FirstIdOf(pod)), 1u);
  const auto none = cri().RunPodSandbox(KubeletsPodConfig(), "hardened");
  EXPECT_EQ(none.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(none.status().message()), HasSubstr("isolation.host_id_ranges"));
  const uint32_t freed = FirstIdOf(pods.front());
  Must(cri().StopPodSandbox(pods.front()));
  Must(cri().RemovePodSandbox(pods.front()));
  EXPECT_EQ(FirstIdOf(RunHardened().id), freed);
}

TEST_F(Profiles, AHardenedPodRunsOnOverARestart) {
  const Pod pod = RunHardened();
  const std::string id = Start(pod, Idle());
  suite().daemon()->Kill();
  suite().daemon()->Start();
  const std::string map = "0 " + std::to_string(FirstIdOf(pod.id)) + " 65536\n";
  EXPECT_EQ(Exec(id, "set -- $(cat /proc/self/uid_map); echo $1 $2 $3"), map);
  EXPECT_EQ(OutputOf(pod, Shell("set -- $(cat /proc/self/uid_map); echo $1 $2 $3")), map);
}

TEST_F(Profiles, AHardenedPodRunsInTheUserNamespaceThatTheKubeletAsksFor) {
  auto config = PodConfig();
  *NamespacesOf(config).mutable_userns_options() = MappedUserNamespace();
  EXPECT_EQ(OutputOf(RunIn("hardened", config),
                     Shell("set -- $(cat /proc/self/uid_map); echo $1 $2 $3; grep NoNewPrivs "
                           "/proc/self/status")),
            "0 131072 65536\nNoNewPrivs:\t1\n");
}

TEST_F(Profiles, AUserNamespaceThatAPodAsksForHasNoneOfTheNodesIds) {
  auto config = PodConfig();
  v1::UserNamespace& space = *NamespacesOf(config).mutable_userns_options();
  space = MappedUserNamespace();
  space.mutable_uids(0)->set_host_id(kFirst);
  const auto run = cri().RunPodSandbox(config);
  if (run.ok()) RemoveAtEnd(*run);
  EXPECT_THAT(std::string(run.status().message()), HasSubstr("userns_options.uids[0].host_id"));
}

}  // namespace
}  // namespace bulkhead::fixture
