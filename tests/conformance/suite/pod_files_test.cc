// What the containers of a pod share: name, resolver, shared memory, namespaces.
#include "tests/conformance/fixture/pod_test.h"

namespace bulkhead::fixture {
namespace {

using testing::HasSubstr;
using testing::Not;

class PodFiles : public PodTest {
 protected:
  v1::PodSandboxConfig WithPid(v1::NamespaceMode mode) {
    auto config = PodConfig();
    config.mutable_linux()->mutable_security_context()->mutable_namespace_options()->set_pid(mode);
    return config;
  }
  static v1::ContainerConfig InPid(v1::ContainerConfig config, v1::NamespaceMode mode,
                                   const std::string& target = "") {
    auto* options = config.mutable_linux()->mutable_security_context()->mutable_namespace_options();
    options->set_pid(mode);
    options->set_target_id(target);
    return config;
  }
};

TEST_F(PodFiles, HostnameIsThePods) {
  Pod pod = RunPod();
  EXPECT_EQ(
      OutputOf(pod, Shell("hostname; cat /etc/hostname; echo $HOSTNAME")),
      pod.config.hostname() + "\n" + pod.config.hostname() + "\n" + pod.config.hostname() + "\n");
}

TEST_F(PodFiles, ResolverHasServersSearchesAndOptions) {
  auto config = PodConfig();
  config.mutable_dns_config()->add_servers("10.9.8.7");
  config.mutable_dns_config()->add_servers("10.9.8.6");
  config.mutable_dns_config()->add_searches("svc.cluster.example");
  config.mutable_dns_config()->add_options("ndots:5");
  const std::string file = OutputOf(RunPod(config), Shell("cat /etc/resolv.conf"));
  EXPECT_THAT(file, HasSubstr("nameserver 10.9.8.7\n"));
  EXPECT_THAT(file, HasSubstr("nameserver 10.9.8.6\n"));
  EXPECT_THAT(file, HasSubstr("search svc.cluster.example\n"));
  EXPECT_THAT(file, HasSubstr("options ndots:5\n"));
}

TEST_F(PodFiles, HostsKnowsLocalhost) {
  EXPECT_THAT(OutputOf(RunPod(), Shell("cat /etc/hosts")), HasSubstr("localhost"));
}

TEST_F(PodFiles, SharedMemoryIsSharedWithinThePodAlone) {
  Pod pod = RunPod();
  const std::string writer = Start(pod, Idle());
  Exec(writer, "echo shared > /dev/shm/note");
  EXPECT_EQ(OutputOf(pod, Shell("cat /dev/shm/note")), "shared\n");
  EXPECT_EQ(OutputOf(RunPod(), Shell("ls /dev/shm")), "");
}

TEST_F(PodFiles, SharedMemoryOutlivesTheContainerThatWroteIt) {
  Pod pod = RunPod();
  OutputOf(pod, Shell("echo left > /dev/shm/note"));
  EXPECT_EQ(OutputOf(pod, Shell("cat /dev/shm/note")), "left\n");
}

TEST_F(PodFiles, SharedMemoryIs64MebibytesOfTmpfs) {
  EXPECT_EQ(OutputOf(RunPod(), Shell("grep ' /dev/shm ' /proc/mounts | cut -d' ' -f3; "
                                     "df -k /dev/shm | tail -1 | awk '{print $2}'")),
            "tmpfs\n65536\n");
}

TEST_F(PodFiles, IpcIsThePods) {
  Pod pod = RunPod();
  const std::string script = "readlink /proc/self/ns/ipc; readlink /proc/self/ns/uts";
  const std::string one = OutputOf(pod, Shell(script));
  EXPECT_EQ(OutputOf(pod, Shell(script)), one);
  EXPECT_NE(OutputOf(RunPod(), Shell(script)), one);
}

TEST_F(PodFiles, IpcMayBeTheHosts) {
  auto config = PodConfig();
  config.mutable_linux()->mutable_security_context()->mutable_namespace_options()->set_ipc(
      v1::NODE);
  EXPECT_EQ(OutputOf(RunPod(config), Shell("readlink /proc/self/ns/ipc")),
            std::filesystem::read_symlink("/proc/self/ns/ipc").string() + "\n");
}

TEST_F(PodFiles, FilesOfOneContainerAreNotThoseOfAnother) {
  Pod pod = RunPod();
  const std::string one = Start(pod, Idle());
  Exec(one, "echo mine > /tmp/file");
  EXPECT_EQ(OutputOf(pod, Shell("ls /tmp")), "");
}

TEST_F(PodFiles, ContainersOfAContainerPidModeDoNotSeeEachOther) {
  Pod pod = RunPod();
  Start(pod, Idle());
  EXPECT_THAT(OutputOf(pod, Shell("ps -o args")), Not(HasSubstr("sleep 1000")));
}

TEST_F(PodFiles, ContainersOfAPodPidModeSeeEachOther) {
  Pod pod = RunPod(WithPid(v1::POD));
  Start(pod, InPid(Idle(), v1::POD));
  EXPECT_THAT(OutputOf(pod, InPid(Shell("ps -o args; echo self $$"), v1::POD)),
              testing::AllOf(HasSubstr("sleep 1000"), Not(HasSubstr("self 1\n"))));
}

TEST_F(PodFiles, ContainersOfANodePidModeSeeTheHost) {
  Pod pod = RunPod(WithPid(v1::NODE));
  EXPECT_EQ(OutputOf(pod, InPid(Shell("readlink /proc/self/ns/pid"), v1::NODE)),
            std::filesystem::read_symlink("/proc/self/ns/pid").string() + "\n");
}

TEST_F(PodFiles, AContainerMayJoinThePidNamespaceOfAnother) {
  Pod pod = RunPod();
  const std::string target = Start(pod, Idle());
  EXPECT_EQ(OutputOf(pod, InPid(Shell("readlink /proc/self/ns/pid"), v1::TARGET, target)),
            Exec(target, "readlink /proc/self/ns/pid"));
}

}  // namespace
}  // namespace bulkhead::fixture
