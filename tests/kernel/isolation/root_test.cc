#include "runtime/isolation/root.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "runtime/kernel/file.h"
#include "runtime/kernel/mount.h"
#include "runtime/kernel/status.h"
#include "tests/kernel/isolation/test_pod.h"

namespace bulkhead::isolation {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class RootTest : public testing::Test {
 protected:
  RootTest() {
    layer_ = dir_.Make("layer");
    MakeBusyboxLayer(layer_);
  }
  ~RootTest() override { EXPECT_EQ(HostMounts(), mounts_before_); }

  TestContainer Container(const std::string& id, const std::string& script) {
    return MakeContainer(id, layer_, dir_.Make(id), {"sh", "-c", script});
  }

  Output Run(const TestContainer& container, const PodNamespaces& pod) {
    absl::StatusOr<Output> output = RunContainer(container, pod);
    EXPECT_TRUE(output.ok()) << output.status();
    return output.ok() ? *output : Output{};
  }

  // `body` with a pod, in a process of its own.
  void InPod(const std::function<void(const PodNamespaces&)>& body) {
    RunForked([&] {
      absl::StatusOr<PodNamespaces> pod = SetUpPod(MakePodPlan(), {});
      ASSERT_TRUE(pod.ok()) << pod.status();
      body(*pod);
    });
  }

  std::string mounts_before_ = HostMounts();
  TestDir dir_;
  std::string layer_;
};

TEST_F(RootTest, TheContainerSeesItsOwnMountsOnly) {
  const TestContainer container = Container("c", "cat /proc/self/mountinfo");
  InPod([&](const PodNamespaces& pod) {
    const std::string table = Run(container, pod).text;
    std::vector<std::string> places;
    for (absl::string_view line : absl::StrSplit(table, '\n', absl::SkipEmpty())) {
      places.push_back(std::vector<std::string>(absl::StrSplit(line, ' '))[4]);
    }
    EXPECT_THAT(places, testing::UnorderedElementsAre("/", "/dev", "/dev/pts", "/sys", "/dev/shm",
                                                      "/proc"));
  });
}

TEST_F(RootTest, WhatItWritesLiesInTheUpperLayerAndTheLowerStaysAsItWas) {
  const TestContainer container = Container("c", "echo new > /etc/passwd; echo x > /data/x");
  InPod([&](const PodNamespaces& pod) { EXPECT_EQ(Run(container, pod).code, 0); });
  EXPECT_EQ(*ReadFile(dir_.path() + "/c/upper/etc/passwd"), "new\n");
  EXPECT_EQ(*ReadFile(dir_.path() + "/c/upper/data/x"), "x\n");
  EXPECT_THAT(*ReadFile(layer_ + "/etc/passwd"), HasSubstr("root:x:0:0"));
}

TEST_F(RootTest, AWritableLayerCanBeMountedAgainAfterItsContainer) {
  const std::string writable = dir_.Make("c");
  const TestContainer first = MakeContainer("c", layer_, writable, {"touch", "/data/first"});
  InPod([&](const PodNamespaces& pod) { EXPECT_EQ(Run(first, pod).code, 0); });
  const TestContainer second = MakeContainer("c", layer_, writable, {"ls", "/data"});
  InPod([&](const PodNamespaces& pod) { EXPECT_EQ(Run(second, pod).text, "first\n"); });
}

TEST_F(RootTest, ARootWithoutAWritableLayerLeavesNothing) {
  const TestContainer container = MakeContainer("c", layer_, "", {"sh", "-c", "echo x > /data/x"});
  InPod([&](const PodNamespaces& pod) { EXPECT_EQ(Run(container, pod).code, 0); });
  EXPECT_FALSE(fs::exists(layer_ + "/data/x"));
}

TEST_F(RootTest, StacksAHundredAndTwentyLayersInOrder) {
  TestContainer container = Container("c", "cat /etc/which; ls /etc/layers | wc -l");
  container.root.clear_layers();
  for (int i = 0; i < 120; ++i) {
    const std::string layer = dir_.Make(absl::StrCat("l", i));
    fs::create_directories(layer + "/etc/layers");
    std::ofstream(layer + "/etc/which") << i << "\n";
    std::ofstream(layer + "/etc/layers/" + std::to_string(i));
    absl::StatusOr<UniqueFd> tree = CloneTree(AT_FDCWD, layer, TreeDepth::kOneMount);
    ASSERT_TRUE(tree.ok()) << tree.status();
    *container.root.add_layers() = container.AddRootFd(*std::move(tree));
  }
  absl::StatusOr<UniqueFd> base = CloneTree(AT_FDCWD, layer_, TreeDepth::kOneMount);
  ASSERT_TRUE(base.ok());
  *container.root.add_layers() = container.AddRootFd(*std::move(base));
  InPod([&](const PodNamespaces& pod) { EXPECT_EQ(Run(container, pod).text, "0\n120\n"); });
}

TEST_F(RootTest, ContainersStartedAtDifferentTimesShareTheirMemory) {
  const TestContainer first = Container("a", "echo shared > /dev/shm/x");
  const TestContainer second = Container("b", "cat /dev/shm/x; stat -c %a /dev/shm");
  InPod([&](const PodNamespaces& pod) {
    EXPECT_EQ(Run(first, pod).code, 0);
    EXPECT_EQ(Run(second, pod).text, "shared\n1777\n");
  });
}

TEST_F(RootTest, AReadOnlyRootIsReadOnlyAndItsVolumesAreNot) {
  const std::string volume = dir_.Make("volume");
  TestContainer container =
      Container("c", "echo x > /data/f; touch /no 2>/dev/null || echo refused");
  container.AddBind(volume, "/data");
  container.launch.mutable_late_mounts()->set_read_only_root(true);
  InPod([&](const PodNamespaces& pod) { EXPECT_EQ(Run(container, pod).text, "refused\n"); });
  EXPECT_EQ(*ReadFile(volume + "/f"), "x\n");
}

TEST_F(RootTest, AVolumeMayBeAFileAndItsPlaceIsMade) {
  std::ofstream(dir_.path() + "/file") << "content\n";
  TestContainer container = Container("c", "cat /new/place/file");
  container.AddBind(dir_.path() + "/file", "/new/place/file");
  InPod([&](const PodNamespaces& pod) { EXPECT_EQ(Run(container, pod).text, "content\n"); });
}

TEST_F(RootTest, ALinkInTheImageLeadsToAPlaceInTheImage) {
  fs::create_symlink("/../../../escape/target", layer_ + "/link");
  fs::create_symlink("../run/stub.conf", layer_ + "/etc/resolv.conf");
  const std::string volume = dir_.Make("volume");
  std::ofstream(volume + "/inside");
  std::ofstream(dir_.path() + "/resolv.conf") << "nameserver\n";
  TestContainer container = Container("c", "ls /escape/target; cat /run/stub.conf");
  container.AddBind(volume, "/link");
  container.AddBind(dir_.path() + "/resolv.conf", "/etc/resolv.conf");
  InPod([&](const PodNamespaces& pod) {
    EXPECT_EQ(Run(container, pod).text, "inside\nnameserver\n");
  });
  EXPECT_FALSE(fs::exists("/escape"));
}

TEST_F(RootTest, AnImageWhoseProcIsALinkIsRefused) {
  fs::remove(layer_ + "/proc");
  fs::create_symlink("/data", layer_ + "/proc");
  const TestContainer container = Container("c", "true");
  InPod([&](const PodNamespaces& pod) {
    const absl::Status status = RunContainer(container, pod).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("/proc"));
  });
}

TEST_F(RootTest, RecursiveReadOnlyReachesMountsBelowAndPlainReadOnlyDoesNot) {
  const std::string volume = dir_.Make("volume/sub");
  ASSERT_EQ(mount("tmpfs", volume.c_str(), "tmpfs", 0, "size=64k"), 0);
  for (const bool recursive : {false, true}) {
    TestContainer container = Container(
        recursive ? "r" : "p",
        "touch /data/x 2>/dev/null || echo top; touch /data/sub/x 2>/dev/null || echo sub");
    plan::Mount* bind = container.AddBind(dir_.path() + "/volume", "/data");
    bind->set_attributes(MOUNT_ATTR_RDONLY);
    bind->set_recursive_attributes(recursive);
    InPod([&](const PodNamespaces& pod) {
      EXPECT_EQ(Run(container, pod).text, recursive ? "top\nsub\n" : "top\n");
    });
  }
  ASSERT_EQ(umount(volume.c_str()), 0);
}

TEST_F(RootTest, MaskedFilesAreEmptyAndMaskedDirectoriesToo) {
  TestContainer container =
      Container("c", "cat /proc/version | wc -c; ls /sys/kernel | wc -l; cat /data/secret");
  std::ofstream(layer_ + "/data/secret") << "secret";
  for (const char* path : {"/proc/version", "/proc/acpi", "/sys/kernel", "/data/secret",
                           "/not/there", "/etc/passwd/below"}) {
    container.launch.mutable_late_mounts()->add_masked_paths(path);
  }
  InPod([&](const PodNamespaces& pod) { EXPECT_EQ(Run(container, pod).text, "0\n0\n"); });
}

// CVE-2025-31133: the mask would be whatever the image put at /dev/null.
TEST_F(RootTest, AMaskIsRefusedWhenTheNullDeviceIsSomethingElse) {
  TestContainer container = Container("c", "true");
  container.root.mutable_devices(0)->set_minor(5);
  container.launch.mutable_late_mounts()->add_masked_paths("/proc/version");
  InPod([&](const PodNamespaces& pod) {
    const absl::Status status = RunContainer(container, pod).status();
    EXPECT_EQ(LaunchStepOf(status), "mask path");
    EXPECT_THAT(std::string(status.message()), HasSubstr("/dev/null"));
  });
}

TEST_F(RootTest, ReadOnlyPathsCannotBeWritten) {
  TestContainer container = Container(
      "c",
      "echo 1 > /proc/sys/kernel/panic || echo refused; cat /proc/sys/kernel/panic > /dev/null");
  container.launch.mutable_late_mounts()->add_read_only_paths("/proc/sys");
  container.launch.mutable_late_mounts()->add_read_only_paths("/proc/not-there");
  InPod([&](const PodNamespaces& pod) {
    EXPECT_THAT(Run(container, pod).text, HasSubstr("Read-only file system\nrefused"));
  });
}

// CVE-2024-21626: a working directory that leads out of the root through a descriptor.
TEST_F(RootTest, AWorkingDirectoryThroughAMagicLinkIsRefused) {
  TestContainer container = Container("c", "pwd");
  container.launch.mutable_process()->set_working_directory("/proc/self/fd/1");
  InPod([&](const PodNamespaces& pod) {
    const absl::Status status = RunContainer(container, pod).status();
    EXPECT_EQ(LaunchStepOf(status), "working directory");
    EXPECT_EQ(ErrnoOf(status), ELOOP);
  });
}

TEST_F(RootTest, AWorkingDirectoryThatIsNotThereIsMade) {
  TestContainer container = Container("c", "pwd");
  container.root.set_working_directory("/srv/app");
  container.launch.mutable_process()->set_working_directory("/srv/app");
  InPod([&](const PodNamespaces& pod) { EXPECT_EQ(Run(container, pod).text, "/srv/app\n"); });
}

TEST_F(RootTest, AWorkingDirectoryThatIsAFileIsAnErrorThatNamesIt) {
  TestContainer container = Container("c", "pwd");
  container.launch.mutable_process()->set_working_directory("/etc/passwd");
  InPod([&](const PodNamespaces& pod) {
    const absl::Status status = RunContainer(container, pod).status();
    EXPECT_EQ(status.message(), "working directory \"/etc/passwd\": Not a directory");
  });
}

// The pod's supervisor comes back to an almost empty root, whatever happened in the container's.
TEST_F(RootTest, TheSupervisorKeepsAnEmptyRootAlsoAfterAFailure) {
  const TestContainer good = Container("a", "true");
  TestContainer bad = Container("b", "true");
  bad.root.mutable_mounts(0)->mutable_filesystem()->set_type("no-such-type");
  InPod([&](const PodNamespaces& pod) {
    EXPECT_EQ(Run(good, pod).code, 0);
    const absl::Status status = RunContainer(bad, pod).status();
    EXPECT_THAT(std::string(status.message()), HasSubstr("mount /dev: mount no-such-type"));
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator("/")) names.push_back(entry.path());
    EXPECT_THAT(names, testing::UnorderedElementsAre("/shm", "/layers", "/root"));
    const int table = openat(pod.procfs.get(), "self/mountinfo", O_RDONLY);
    const std::string mounts = *ReadAll(table, 1 << 20);
    EXPECT_EQ(std::count(mounts.begin(), mounts.end(), '\n'), 2) << mounts;
  });
}

// Propagation of volumes whose source is opened on the host, against mounts made later.
class PropagationTest : public RootTest {
 protected:
  PropagationTest() {
    volume_ = dir_.Make("volume");
    EXPECT_EQ(mount(volume_.c_str(), volume_.c_str(), nullptr, MS_BIND, nullptr), 0);
    fs::create_directories(volume_ + "/host");
    fs::create_directories(volume_ + "/container");
  }
  ~PropagationTest() override {
    while (umount2((volume_ + "/host").c_str(), MNT_DETACH) == 0) {
    }
    while (umount2((volume_ + "/container").c_str(), MNT_DETACH) == 0) {
    }
    EXPECT_EQ(umount2(volume_.c_str(), MNT_DETACH), 0);
  }

  struct Seen {
    bool by_container = false;  // A mount made on the host.
    bool by_host = false;       // A mount made in the container.
  };

  Seen Observe(plan::Mount::Propagation propagation) {
    TestContainer container =
        Container(absl::StrCat("c", propagation),
                  "mount -t tmpfs t /data/container && touch /data/container/x && echo mounted; "
                  "while ! [ -e /tmp/go ]; do :; done; [ -e /data/host/y ] && echo seen");
    container.AddBind(volume_, "/data", propagation);
    Seen seen;
    int to_host[2], to_pod[2], result[2];
    EXPECT_EQ(pipe(to_host) | pipe(to_pod) | pipe(result), 0);
    const std::string upper = dir_.path() + "/" + container.root.container_id() + "/upper";
    // The host's part runs beside the pod's process, which has left the host's mounts.
    const pid_t host = fork();
    if (host == 0) {
      char byte;
      if (read(to_host[0], &byte, 1) != 1) _exit(1);
      const bool by_host = fs::exists(volume_ + "/container/x");
      if (mount("tmpfs", (volume_ + "/host").c_str(), "tmpfs", 0, "size=64k") != 0) _exit(2);
      std::ofstream(volume_ + "/host/y") << "y";
      const char answer = by_host ? 'y' : 'n';
      if (write(result[1], &answer, 1) != 1 || write(to_pod[1], "g", 1) != 1) _exit(3);
      _exit(0);
    }
    InPod([&](const PodNamespaces& pod) {
      absl::StatusOr<Running> running = Prepare(container, pod);
      ASSERT_TRUE(running.ok()) << running.status();
      ASSERT_TRUE(Begin(*running).ok());
      char line[8];
      ASSERT_EQ(read(running->output.get(), line, sizeof(line)), 8);  // "mounted\n"
      char byte;
      ASSERT_EQ(write(to_host[1], "m", 1), 1);
      ASSERT_EQ(read(to_pod[0], &byte, 1), 1);
      const int go = openat(running->root.root.get(), "tmp/go", O_CREAT | O_WRONLY, 0600);
      EXPECT_GE(go, 0);
      close(go);
      const Output output = Finish(*running);
      ASSERT_EQ(write(result[1], output.text == "seen\n" ? "y" : "n", 1), 1);
    });
    char answers[2] = {};
    EXPECT_EQ(read(result[0], answers, 2), 2);
    waitpid(host, nullptr, 0);
    for (const int fd : {to_host[0], to_host[1], to_pod[0], to_pod[1], result[0], result[1]}) {
      close(fd);
    }
    seen.by_host = answers[0] == 'y';
    seen.by_container = answers[1] == 'y';
    return seen;
  }

  std::string volume_;
};

TEST_F(PropagationTest, APrivateVolumePropagatesNothing) {
  const Seen seen = Observe(plan::Mount::PRIVATE);
  EXPECT_FALSE(seen.by_container);
  EXPECT_FALSE(seen.by_host);
}

TEST_F(PropagationTest, ASlaveVolumeReceivesTheHostsMountsOnly) {
  const Seen seen = Observe(plan::Mount::SLAVE);
  EXPECT_TRUE(seen.by_container);
  EXPECT_FALSE(seen.by_host);
}

TEST_F(PropagationTest, ASharedVolumePropagatesBothWays) {
  const Seen seen = Observe(plan::Mount::SHARED);
  EXPECT_TRUE(seen.by_container);
  EXPECT_TRUE(seen.by_host);
}

}  // namespace
}  // namespace bulkhead::isolation
