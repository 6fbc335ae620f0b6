// Plans as the daemon makes them, carried out.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "runtime/isolation/cgroup.h"
#include "runtime/isolation/plan_launch.h"
#include "runtime/isolation/plan_pod.h"
#include "runtime/isolation/plan_root.h"
#include "runtime/kernel/file.h"
#include "tests/kernel/isolation/test_pod.h"

namespace bulkhead::isolation {
namespace {

using testing::HasSubstr;
using testing::Not;

absl::Time Soon() { return absl::Now() + absl::Seconds(10); }

class PlanTest : public testing::Test {
 protected:
  void SetUp() override {
    absl::StatusOr<HostFacts> facts = ProbeHost();
    ASSERT_TRUE(facts.ok()) << facts.status();
    host_ = *facts;
    host_.apparmor = false;  // The daemon loads its profile, and there is none here.
    std::thread([this] {
      ASSERT_EQ(unshare(CLONE_NEWNET), 0);
      network_.reset(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    }).join();
    ASSERT_TRUE(network_.valid());
    manager_ = CgroupManager::ForHost(host_);
    parent_ = absl::StrCat("/bulkhead-test-", getpid());
    layer_ = dir_.Make("layer");
    MakeBusyboxLayer(layer_);
    for (const char* name : {"upper", "work"}) dir_.Make(absl::StrCat("c/", name));
    pod_.hostname = "planned";
    pod_.security.namespaces.pid = spec::NamespaceMode::kContainer;
    spec_.security.namespaces.pid = spec::NamespaceMode::kContainer;
    image_.env = {"FROM=image", "KEPT=yes"};
    image_.cmd = {"sh"};
    ASSERT_TRUE(manager_->Create(parent_ + "/supervisor").ok());
    ASSERT_TRUE(manager_->Create(parent_ + "/container").ok());
  }

  void TearDown() override {
    EXPECT_TRUE(manager_->Kill(parent_, Soon()).ok());
    const absl::Status removed = manager_->Remove(parent_, Soon());
    EXPECT_TRUE(removed.ok()) << removed;
    EXPECT_EQ(HostMounts(), mounts_before_);
  }

  template <typename Planned>
  std::vector<UniqueFd> Open(const Planned& planned, std::vector<OpenedVolume> volumes = {}) {
    absl::StatusOr<std::vector<UniqueFd>> fds =
        OpenDescriptors(planned.descriptors, std::move(volumes), {});
    EXPECT_TRUE(fds.ok()) << fds.status();
    return fds.ok() ? *std::move(fds) : std::vector<UniqueFd>();
  }

  absl::StatusOr<PlannedPod> PlanThePod() {
    const bool own_network = pod_.security.namespaces.network != spec::NamespaceMode::kNode;
    return PlanPod(
        {.spec = pod_,
         .host = host_,
         .network_namespace = own_network ? absl::StrCat("/proc/self/fd/", network_.get()) : "",
         .pid1_cgroup = manager_->JoinPaths(parent_ + "/container"),
         .supervisor_cgroup = manager_->JoinPaths(parent_ + "/supervisor")});
  }

  PlannedRoot PlanTheRoot(std::vector<OpenedVolume>& opened) {
    const std::vector<spec::Mount> mounts = ContainerMounts(spec_, files_);
    std::vector<VolumeFacts> facts;
    for (const spec::Mount& mount : mounts) {
      absl::StatusOr<OpenedVolume> volume = OpenVolume(mount);
      EXPECT_TRUE(volume.ok()) << volume.status();
      facts.push_back(volume->facts);
      opened.push_back(*std::move(volume));
    }
    absl::StatusOr<std::vector<HostDevice>> devices = FindDevices(spec_);
    EXPECT_TRUE(devices.ok()) << devices.status();
    absl::StatusOr<PlannedRoot> root = PlanRoot({.container_id = "c",
                                                 .spec = spec_,
                                                 .pod = pod_,
                                                 .image = image_,
                                                 .host = host_,
                                                 .layers = {layer_},
                                                 .writable = dir_.path() + "/c",
                                                 .mounts = mounts,
                                                 .volumes = facts,
                                                 .devices = *devices});
    EXPECT_TRUE(root.ok()) << root.status();
    return *root;
  }

  PlannedLaunch PlanTheLaunch() {
    absl::StatusOr<PlannedLaunch> launch =
        PlanLaunch({.container_id = "c",
                    .spec = spec_,
                    .pod = pod_,
                    .image = image_,
                    .host = host_,
                    .seccomp = seccomp_,
                    .user = {.uid = 0, .gid = 0, .groups = {0}, .home = "/root"},
                    .cgroup = manager_->JoinPaths(parent_ + "/container"),
                    .oom_events = manager_->OomEventsPath(parent_ + "/container")});
    EXPECT_TRUE(launch.ok()) << launch.status();
    return *launch;
  }

  // What `script` writes in a container as the spec has it.
  std::string Run(const std::string& script) {
    spec_.command = {"sh", "-c", script};
    absl::StatusOr<PlannedPod> pod = PlanThePod();
    EXPECT_TRUE(pod.ok()) << pod.status();
    const std::vector<UniqueFd> pod_fds = Open(*pod);
    std::vector<OpenedVolume> volumes;
    const PlannedRoot root = PlanTheRoot(volumes);
    const PlannedLaunch launch = PlanTheLaunch();
    TestContainer container{.root = root.plan,
                            .launch = launch.plan,
                            .root_fds = Open(root, std::move(volumes)),
                            .launch_fds = Open(launch)};
    const std::string result = dir_.path() + "/output";
    const int output_file = open(result.c_str(), O_CREAT | O_WRONLY | O_TRUNC, 0600);
    RunForked([&] {
      absl::StatusOr<PodNamespaces> namespaces = SetUpPod(pod->plan, pod_fds);
      ASSERT_TRUE(namespaces.ok()) << namespaces.status();
      absl::StatusOr<Output> output = RunContainer(container, *namespaces);
      ASSERT_TRUE(output.ok()) << output.status();
      ASSERT_EQ(write(output_file, output->text.data(), output->text.size()),
                static_cast<ssize_t>(output->text.size()));
    });
    close(output_file);
    return ReadFile(result).value_or("");
  }

  std::string mounts_before_ = HostMounts();
  TestDir dir_;
  HostFacts host_;
  SeccompCompiler seccomp_;
  UniqueFd network_;
  std::unique_ptr<CgroupManager> manager_;
  std::string parent_, layer_;
  spec::PodSpec pod_;
  spec::ContainerSpec spec_;
  spec::ImageConfig image_;
  PodFiles files_;
};

TEST_F(PlanTest, TheContainerHasWhatTheRuntimeSpecificationPromises) {
  spec_.env = {{"FROM", "spec"}};
  spec_.working_dir = "/made/for/it";
  EXPECT_EQ(Run("hostname; pwd; echo $FROM $KEPT $HOME $HOSTNAME $PATH; true"),
            "planned\n/made/for/it\nspec yes /root planned "
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n");
}

TEST_F(PlanTest, TheDefaultDevicesWork) {
  EXPECT_EQ(Run("cd /dev; ls -d null zero full random urandom tty ptmx fd stdin stdout stderr shm "
                "pts mqueue; stat -c '%t:%T %a' null tty; echo x > null; [ -c ptmx ]"),
            "fd\nfull\nmqueue\nnull\nptmx\npts\nrandom\nshm\nstderr\nstdin\nstdout\ntty\nurandom\n"
            "zero\n1:3 666\n5:0 666\n");
}

TEST_F(PlanTest, ItSeesItsOwnCgroupAsTheRootAndCannotWriteIt) {
  const std::string text =
      Run("cat /proc/self/cgroup; mkdir /sys/fs/cgroup/x 2>&1;"
          "for d in /sys/fs/cgroup /sys/fs/cgroup/memory; do"
          " [ -e $d/cgroup.procs ] && grep -c . $d/cgroup.procs; done; true");
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    if (absl::StrContains(line, ':') && !absl::StrContains(line, "mkdir")) {
      EXPECT_THAT(std::string(line), testing::EndsWith(":/"));
    }
  }
  EXPECT_THAT(text, HasSubstr("Read-only file system"));
}

TEST_F(PlanTest, ItRunsInItsCgroupInEveryHierarchy) {
  spec_.security.privileged = true;  // With the host's cgroup namespace, to see whole paths.
  const std::string text = Run("cat /proc/self/cgroup; ls /sys/fs/cgroup | wc -l");
  const int wanted = host_.cgroup.v1.size() + (host_.cgroup.v2.has_value() ? 1 : 0);
  int found = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    if (absl::EndsWith(line, parent_ + "/container")) ++found;
  }
  EXPECT_EQ(found, wanted) << text;
}

TEST_F(PlanTest, ThePodsFilesAndVolumesAreThere) {
  std::ofstream(dir_.path() + "/hosts") << "127.0.0.1 localhost\n";
  std::ofstream(dir_.path() + "/resolv") << "nameserver 192.0.2.1\n";
  files_ = {.hosts = dir_.path() + "/hosts", .resolv_conf = dir_.path() + "/resolv"};
  std::filesystem::create_directory_symlink(dir_.Make("target"), dir_.path() + "/link");
  std::ofstream(dir_.path() + "/target/file") << "through a link\n";
  spec_.mounts.push_back({.container_path = "/vol/inner", .host_path = dir_.path() + "/new/dir"});
  spec_.mounts.push_back(
      {.container_path = "/vol", .host_path = dir_.path() + "/link", .readonly = true});
  dir_.Make("target/inner");
  EXPECT_EQ(Run("cat /etc/hosts /etc/resolv.conf /vol/file; touch /vol/inner/x;"
                "touch /vol/y 2>/dev/null || echo refused"),
            "127.0.0.1 localhost\nnameserver 192.0.2.1\nthrough a link\nrefused\n");
  EXPECT_TRUE(std::filesystem::exists(dir_.path() + "/new/dir/x"));
}

TEST_F(PlanTest, MaskedAndReadOnlyPathsAreAsSentAndNoneAreNone) {
  const std::string script =
      "cat /proc/version | wc -l; echo 1 > /proc/sys/kernel/domainname 2>&1 && echo written; true";
  pod_.security.namespaces.network = spec::NamespaceMode::kPod;
  EXPECT_EQ(Run(script), "1\nwritten\n");
  spec_.security.masked_paths = {"/proc/version"};
  spec_.security.readonly_paths = {"/proc/sys"};
  EXPECT_THAT(Run(script), testing::AllOf(testing::StartsWith("0\n"), Not(HasSubstr("written"))));
}

TEST_F(PlanTest, SysctlsOfThePodAreSetAndTheHostsStay) {
  pod_.sysctls = {{"net.ipv4.ip_unprivileged_port_start", "77"},
                  {"kernel.shm_rmid_forced", "1"},
                  {"kernel/msgmax", "4242"}};
  const std::string before = *ReadFile("/proc/sys/kernel/msgmax");
  EXPECT_EQ(Run("cat /proc/sys/net/ipv4/ip_unprivileged_port_start "
                "/proc/sys/kernel/shm_rmid_forced /proc/sys/kernel/msgmax"),
            "77\n1\n4242\n");
  EXPECT_EQ(*ReadFile("/proc/sys/kernel/msgmax"), before);
}

TEST_F(PlanTest, ThreeHundredVolumesAreMounted) {
  for (int i = 0; i < 300; ++i) {
    spec_.mounts.push_back({.container_path = absl::StrCat("/vol/", i),
                            .host_path = dir_.Make(absl::StrCat("volumes/", i))});
  }
  EXPECT_EQ(Run("grep -c ' /vol/' /proc/self/mountinfo"), "300\n");
}

TEST_F(PlanTest, APrivilegedContainerSeesTheHostsDevices) {
  spec_.security.privileged = true;
  const std::string text =
      Run("ls /dev; touch /sys/fs/cgroup/x 2>/dev/null; grep CapEff "
          "/proc/self/status");
  EXPECT_THAT(text, HasSubstr("\nkmsg\n"));
  EXPECT_THAT(text, HasSubstr(absl::StrCat(absl::Hex(host_.bounding_set, absl::kZeroPad16))));
}

TEST_F(PlanTest, AHostNetworkPodKeepsTheHostsNameAndNamespaces) {
  pod_.security.namespaces.network = spec::NamespaceMode::kNode;
  pod_.security.namespaces.ipc = spec::NamespaceMode::kNode;
  char name[65] = {};
  ASSERT_EQ(gethostname(name, sizeof(name) - 1), 0);
  const std::string marker = absl::StrCat("/dev/shm/bulkhead-test-", getpid());
  std::ofstream(marker) << "of the host\n";
  EXPECT_EQ(Run("hostname; cat " + marker), absl::StrCat(name, "\nof the host\n"));
  unlink(marker.c_str());
}

TEST_F(PlanTest, AVolumeOnAPrivateMountCannotBeBidirectional) {
  const std::string place = dir_.Make("private");
  ASSERT_EQ(mount("tmpfs", place.c_str(), "tmpfs", 0, "size=64k"), 0);
  ASSERT_EQ(mount(nullptr, place.c_str(), nullptr, MS_PRIVATE, nullptr), 0);
  spec::Mount asked{.container_path = "/v",
                    .host_path = place,
                    .propagation = spec::MountPropagation::kBidirectional};
  EXPECT_TRUE(absl::IsFailedPrecondition(OpenVolume(asked).status()));
  asked.propagation = spec::MountPropagation::kHostToContainer;
  EXPECT_TRUE(absl::IsFailedPrecondition(OpenVolume(asked).status()));
  asked.propagation = spec::MountPropagation::kPrivate;
  EXPECT_TRUE(OpenVolume(asked).ok());
  ASSERT_EQ(umount(place.c_str()), 0);
}

}  // namespace
}  // namespace bulkhead::isolation
