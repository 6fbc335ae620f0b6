// Ways to the host that need no way out of the container: what the runtime leaves in reach there.
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <set>
#include <sstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/conformance/fixture/escape_test.h"
#include "tests/conformance/fixture/test_cgroup.h"
#include "tests/conformance/fixture/user_namespace.h"

namespace bulkhead::fixture {
namespace {

namespace fs = std::filesystem;
using testing::IsEmpty;

class EscapeByHost : public EscapeTest {
 protected:
  void SetUp() override {
    if (suite().daemon() == nullptr) GTEST_SKIP() << "looks at the files of a daemon of its own";
  }

  // The inodes of the sockets that the daemon and its supervisors have.
  std::set<std::string> Sockets() {
    std::set<std::string> inodes;
    for (const auto& process : fs::directory_iterator("/proc")) {
      std::error_code error;
      const std::string program = fs::read_symlink(process.path() / "exe", error);
      if (program.find("bulkheadd") == std::string::npos &&
          program.find("bulkhead-pod") == std::string::npos) {
        continue;
      }
      for (const auto& fd : fs::directory_iterator(process.path() / "fd", error)) {
        const std::string target = fs::read_symlink(fd.path(), error);
        if (target.rfind("socket:[", 0) == 0) inodes.insert(target.substr(8, target.size() - 9));
      }
    }
    return inodes;
  }

  // Runs `body` as a user of the host without any right, in a thread: raw calls change its own
  // credentials alone.
  static void AsNobody(const std::function<void()>& body) {
    std::thread([&] {
      constexpr int kNobody = 65534;
      EXPECT_EQ(syscall(SYS_setgroups, 0, nullptr), 0);
      EXPECT_EQ(syscall(SYS_setresgid, kNobody, kNobody, kNobody), 0);
      EXPECT_EQ(syscall(SYS_setresuid, kNobody, kNobody, kNobody), 0);
      body();
    }).join();
  }

  static bool MayOpen(const fs::path& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd >= 0) close(fd);
    return fd >= 0;
  }
};

// CVE-2020-15257: who is in the host's network namespace reaches its abstract sockets, whatever the
// file system.
TEST_F(EscapeByHost, NoSocketOfTheRuntimeIsReachedFromTheHostsNetwork) {
  const Pod pod = RunPod(HostNetworkPodConfig());
  Start(pod, Idle());
  const std::set<std::string> ours = Sockets();
  EXPECT_THAT(ours, testing::Not(IsEmpty()));
  std::istringstream lines(OutputOf(pod, Command({"attack", "abstract-sockets"})));
  for (std::string inode, answer; lines >> inode >> answer;) {
    EXPECT_FALSE(ours.contains(inode)) << inode << " " << answer;
  }
  // Those with a path are not in the container, and a volume of the folder would be asked for.
  EXPECT_EQ(OutputOf(pod, Shell("find / -xdev -type s")), "");
}

// CVE-2021-41103, CVE-2024-25621: users of the host walked into containers' files, and executed
// what has set-user-ID there.
TEST_F(EscapeByHost, NobodyElseOnTheHostComesToTheRuntimesFiles) {
  const Pod pod = RunPod();
  const std::string id = Start(pod, Idle());
  Exec(id, "cp /bin/busybox /tmp/su && chmod 4755 /tmp/su");
  const DaemonOptions& options = suite().daemon()->options();
  std::vector<fs::path> found;
  for (const fs::path& top : {options.state, options.data}) {
    for (const auto& entry : fs::recursive_directory_iterator(top)) {
      const std::string name = entry.path().filename();
      if (name == "su" || name == "record.json" || name == "busybox" || name == "images.db" ||
          name == "resolv.conf" || name.rfind("seccomp.", 0) == 0 || name.rfind("exit.", 0) == 0) {
        found.push_back(entry.path());
      }
    }
  }
  EXPECT_GE(found.size(), 6u);
  // As a system's folders are.
  const fs::perms before = fs::status(suite().scratch()).permissions();
  fs::permissions(suite().scratch(), fs::perms(0755));
  AsNobody([&] {
    EXPECT_TRUE(MayOpen(suite().scratch()));
    for (const fs::path& path : found) EXPECT_FALSE(MayOpen(path)) << path;
    sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = ""};
    const std::string socket_path = suite().daemon()->socket();
    socket_path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    const int peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_NE(connect(peer, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    close(peer);
  });
  fs::permissions(suite().scratch(), before);
}

// CVE-2024-3154: annotations became properties of the container's systemd unit. The others are
// switches of peers.
TEST_F(EscapeByHost, AnnotationsOfAPodChangeNothing) {
  auto pod_config = PodConfig();
  const std::string mark = absl::StrCat("4712", getpid());
  auto config = Command({"sleep", mark});
  for (auto* annotations : {pod_config.mutable_annotations(), config.mutable_annotations()}) {
    (*annotations)["org.systemd.property.TasksMax"] = "uint64 1";
    (*annotations)["org.systemd.property.MemoryMax"] = "uint64 4096";
    (*annotations)["io.kubernetes.cri-o.UnifiedCgroup.pids.max"] = "1";
    (*annotations)["io.kubernetes.cri-o.Devices"] = "/dev/kmsg:/dev/kmsg:rwm";
    (*annotations)["io.kubernetes.cri-o.LinkLogs"] = "../outside";
    (*annotations)["io.kubernetes.cri-o.userns-mode"] = "auto";
    (*annotations)["run.oci.seccomp_fail_unknown_syscall"] = "1";
    (*annotations)["run.oci.systemd.subgroup"] = "../../escape";
    (*annotations)["run.oci.handler"] = "krun";
  }
  const std::string id = Start(RunPod(pod_config), config);
  const pid_t pid = HostPid({"sleep", mark});
  ASSERT_GT(pid, 0);
  EXPECT_EQ(CgroupValue(pid, "pids", "pids.max", "pids.max"), "max");
  EXPECT_EQ(Exec(id, "test -e /dev/kmsg || echo none; sleep 0 & wait; echo forked"),
            "none\nforked\n");
  ExpectOutsideUntouched();
}

// CVE-2025-0750: a name or a log path led out of the folder for logs.
TEST_F(EscapeByHost, NamesAndLogPathsLeadNowhere) {
  auto pod_config = PodConfig();
  v1::PodSandboxMetadata& metadata = *pod_config.mutable_metadata();
  const std::string way = "../../../../../../.." + outside().string() + "/made";
  metadata.set_name(way);
  metadata.set_namespace_(way);
  metadata.set_uid(way);
  const absl::StatusOr<std::string> run = cri().RunPodSandbox(pod_config);
  if (run.ok()) {
    const Pod pod{*run, pod_config};
    RemoveAtEnd(pod.id);
    auto config = Shell("true");
    config.mutable_metadata()->set_name(way);
    Try(pod, config).IgnoreError();
  }
  ExpectOutsideUntouched();
  const Pod pod = RunPod();
  for (const std::string& path :
       {std::string("../outside/made"), way, (outside() / "made").string(),
        std::string("a/../../outside/secret"), std::string("..")}) {
    auto config = Shell("echo escaped");
    config.set_log_path(path);
    EXPECT_FALSE(Try(pod, config).ok()) << path;
    ExpectOutsideUntouched();
  }
}

// A container that has the folder of its log puts a link in the log's place.
TEST_F(EscapeByHost, ALogIsNotWrittenThroughALink) {
  const Pod pod = RunPod();
  auto config = Shell("while :; do echo escaped; sleep 0.01; done");
  Mount(config, pod.config.log_directory(), "/logs");
  const std::string id = Start(pod, config);
  for (const fs::path& target : {outside() / "secret", outside() / "made"}) {
    Exec(id, absl::StrCat("rm /logs/", config.log_path(), "; ln -s ", target.string(), " /logs/",
                          config.log_path()));
    EXPECT_FALSE(cri().ReopenContainerLog(id).ok()) << target;
  }
  Must(cri().StopContainer(id, std::chrono::seconds(0)));
  auto next = Shell("echo escaped");
  next.set_log_path(config.log_path());
  EXPECT_FALSE(Try(pod, next).ok());
  ExpectOutsideUntouched();
}

// CVE-2025-47291: containers in a user namespace were not below the kubelet's cgroup, whose limits
// did not hold for them.
TEST_F(EscapeByHost, AContainerInAUserNamespaceIsBelowTheKubeletsCgroup) {
  if (!HasUserNamespaces(cri())) GTEST_SKIP() << "the runtime has no user namespaces here";
  TestCgroup parent("bulkhead_test_escape");
  auto pod_config = PodConfig();
  pod_config.mutable_linux()->set_cgroup_parent(parent.name());
  *pod_config.mutable_linux()
       ->mutable_security_context()
       ->mutable_namespace_options()
       ->mutable_userns_options() = MappedUserNamespace();
  const Pod pod = RunPod(pod_config);
  const std::string mark = absl::StrCat("4713", getpid());
  Start(pod, Command({"sleep", mark}));
  EXPECT_THAT(CgroupOf(HostPid({"sleep", mark}), "memory").string(),
              testing::HasSubstr(parent.name() + "/"));
  Must(cri().StopPodSandbox(pod.id));
  Must(cri().RemovePodSandbox(pod.id));
}

}  // namespace
}  // namespace bulkhead::fixture
