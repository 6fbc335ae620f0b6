// A pod with a user namespace of its own, from within and from the host.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "runtime/isolation/id_map.h"
#include "runtime/kernel/file.h"
#include "runtime/kernel/process.h"
#include "runtime/kernel/status.h"
#include "tests/kernel/isolation/test_pod.h"

namespace bulkhead::isolation {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;

constexpr char kMapText[] = "0 100000 65536";

struct stat StatOf(const std::string& path) {
  struct stat st = {};
  EXPECT_EQ(lstat(path.c_str(), &st), 0) << path;
  return st;
}

class UserNamespaceTest : public testing::Test {
 protected:
  UserNamespaceTest() {
    layer_ = dir_.Make("layer");
    MakeBusyboxLayer(layer_);
    fs::permissions(layer_ + "/tmp", fs::perms::all | fs::perms::sticky_bit);
    // What the containers' superuser could not search on the way to it.
    fs::permissions(dir_.path(), fs::perms::owner_all);
  }
  ~UserNamespaceTest() override { EXPECT_EQ(HostMounts(), mounts_before_); }

  TestContainer Container(const std::string& script) {
    return MakeContainer("c", layer_, dir_.Make("c"), {"sh", "-c", script});
  }

  void InPod(const std::function<void(const PodNamespaces&)>& body, bool shared_pid = false) {
    RunForked([&] {
      std::vector<UniqueFd> fds;
      plan::PodPlan plan = MakeMappedPodPlan(fds);
      plan.set_shared_pid_namespace(shared_pid);
      absl::StatusOr<PodNamespaces> pod = SetUpPod(plan, fds);
      ASSERT_TRUE(pod.ok()) << pod.status();
      fds.clear();
      body(*pod);
    });
  }

  static void ExpectText(const TestContainer& container, const PodNamespaces& pod,
                         const testing::Matcher<std::string>& text) {
    absl::StatusOr<Output> output = RunContainer(container, pod);
    ASSERT_TRUE(output.ok()) << output.status();
    EXPECT_THAT(output->text, text);
  }
  void ExpectOutput(const TestContainer& container, const testing::Matcher<std::string>& text) {
    InPod([&](const PodNamespaces& pod) { ExpectText(container, pod, text); });
  }

  std::string mounts_before_ = HostMounts();
  TestDir dir_;
  std::string layer_;
};

TEST_F(UserNamespaceTest, ItsSuperuserIsNobodyOnTheHost) {
  ExpectOutput(Container("cat /proc/self/uid_map /proc/self/gid_map | tr -s ' ' | sed 's/^ //'; "
                         "id -u; touch /data/new; stat -c %u:%g / /data/new /etc/passwd /dev/shm"),
               absl::StrCat(kMapText, "\n", kMapText, "\n0\n0:0\n0:0\n0:0\n0:0\n"));
  EXPECT_EQ(StatOf(dir_.path() + "/c/upper/data/new").st_uid, 100000u);
  EXPECT_EQ(StatOf(dir_.path() + "/c/upper/data/new").st_gid, 100000u);
  // Layers are shared with other pods and stay as they are.
  EXPECT_EQ(StatOf(layer_ + "/etc/passwd").st_uid, 0u);
}

TEST_F(UserNamespaceTest, AnotherUserIsMappedToo) {
  TestContainer container = Container("id -u; touch /tmp/mine; stat -c %u /tmp/mine");
  container.launch.mutable_credentials()->set_uid(1000);
  container.launch.mutable_credentials()->set_gid(1000);
  ExpectOutput(container, "1000\n1000\n");
  EXPECT_EQ(StatOf(dir_.path() + "/c/upper/tmp/mine").st_uid, 101000u);
}

TEST_F(UserNamespaceTest, AUserWithoutAMappingIsRefused) {
  TestContainer container = Container("true");
  container.launch.mutable_credentials()->set_uid(65536);
  InPod([&](const PodNamespaces& pod) {
    const absl::Status status = RunContainer(container, pod).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("65536 is not mapped"));
  });
}

TEST_F(UserNamespaceTest, ItsDirectoriesBelongToItsSuperuser) {
  TestContainer container = Container("pwd; touch file && stat -c %u:%g . /dev");
  container.root.set_working_directory("/new/dir");
  container.launch.mutable_process()->set_working_directory("/new/dir");
  ExpectOutput(container, "/new/dir\n0:0\n0:0\n");
}

TEST_F(UserNamespaceTest, NoCapabilityTakesAMaskOrAReadOnlyMountAway) {
  TestContainer container = Container(
      "umount /proc/tty 2>/dev/null || echo masked; umount -l /proc 2>/dev/null || echo kept; "
      "mount -o remount,bind,rw /proc/sys 2>/dev/null || echo read-only; "
      "mount -o remount,bind,rw /sys 2>/dev/null || echo read-only; "
      "mount -t tmpfs t /tmp && echo mounted; mkdir /tmp/proc; "
      "mount -t proc p /tmp/proc 2>/dev/null || echo no other proc");
  container.launch.mutable_late_mounts()->add_masked_paths("/proc/tty");
  container.launch.mutable_late_mounts()->add_read_only_paths("/proc/sys");
  ExpectOutput(container, "masked\nkept\nread-only\nread-only\nmounted\nno other proc\n");
}

TEST_F(UserNamespaceTest, ItsCapabilitiesWorkOnThePodsNamespacesAndNotOnTheHosts) {
  ExpectOutput(
      Container("hostname mine && hostname; "
                "echo 1 > /proc/sys/net/ipv4/ip_forward && cat /proc/sys/net/ipv4/ip_forward; "
                "echo 65536 > /proc/sys/kernel/shmall && echo shm; "
                "(echo x > /proc/sys/kernel/core_pattern) 2>/dev/null || echo refused; "
                "(echo 1 > /proc/sysrq-trigger) 2>/dev/null || echo refused; "
                "mknod /data/mem c 1 1 2>/dev/null || echo no device; "
                "kill -0 1 && echo own"),
      "mine\n1\nshm\nrefused\nrefused\nno device\nown\n");
}

TEST_F(UserNamespaceTest, DeviceNodesStayTheHosts) {
  ExpectOutput(Container("echo x > /dev/null && stat -c %u:%g:%a /dev/null; "
                         "chmod 600 /dev/null 2>/dev/null || echo refused"),
               "65534:65534:666\nrefused\n");
}

TEST_F(UserNamespaceTest, AMappedVolumeShowsAndKeepsTheHostsOwners) {
  const std::string volume = dir_.Make("volume");
  std::ofstream(volume + "/old") << "x";
  ASSERT_EQ(chown((volume + "/old").c_str(), 7, 8), 0);
  TestContainer container = Container("stat -c %u:%g /data/old /data; touch /data/new");
  container.AddBind(volume, "/data")->mutable_bind()->set_id_mapped(true);
  ExpectOutput(container, "7:8\n0:0\n");
  EXPECT_EQ(StatOf(volume + "/new").st_uid, 0u);
}

TEST_F(UserNamespaceTest, AMountPointInAMappedVolumeIsMadeAsItsSuperuser) {
  const std::string outer = dir_.Make("outer");
  const std::string inner = dir_.Make("inner");
  TestContainer container = Container("stat -c %u /data/a; ls /data/a/b");
  container.AddBind(outer, "/data")->mutable_bind()->set_id_mapped(true);
  container.AddBind(inner, "/data/a/b")->mutable_bind()->set_id_mapped(true);
  ExpectOutput(container, "0\n");
  EXPECT_EQ(StatOf(outer + "/a").st_uid, 0u);
}

TEST_F(UserNamespaceTest, AnUnmappedVolumeIsNobodys) {
  const std::string volume = dir_.Make("volume");
  TestContainer container =
      Container("stat -c %u:%g /data; touch /data/new 2>/dev/null || echo refused");
  container.AddBind(volume, "/data");
  ExpectOutput(container, "65534:65534\nrefused\n");
}

TEST_F(UserNamespaceTest, AVolumeThatCannotBeMappedIsRefusedWithTheReason) {
  TestContainer container = Container("true");
  container.AddBind("/proc", "/data")->mutable_bind()->set_id_mapped(true);
  InPod([&](const PodNamespaces& pod) {
    const absl::Status status = RunContainer(container, pod).status();
    EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("/data"), HasSubstr("no ID-mapped mounts")));
  });
}

TEST_F(UserNamespaceTest, AMappedVolumeOfAPodWithoutOneIsRefused) {
  TestContainer container = Container("true");
  container.AddBind(dir_.Make("volume"), "/data")->mutable_bind()->set_id_mapped(true);
  RunForked([&] {
    absl::StatusOr<PodNamespaces> pod = SetUpPod(MakePodPlan(), {});
    ASSERT_TRUE(pod.ok()) << pod.status();
    EXPECT_TRUE(absl::IsInvalidArgument(RunContainer(container, *pod).status()));
  });
}

TEST_F(UserNamespaceTest, AnExecJoinsItWithTheContainersMounts) {
  const TestContainer container = Container("mount -t tmpfs t /tmp; touch /tmp/here; sleep 100");
  plan::ExecPlan exec;
  exec.set_container_id("c");
  for (const char* arg : {"sh", "-c"}) exec.mutable_process()->add_args(arg);
  exec.mutable_process()->add_args(
      "while ! ls /tmp/here 2>/dev/null; do :; done; id -u; "
      "[ $(readlink /proc/self/ns/user) = $(readlink /proc/1/ns/user) ] && "
      "[ $(readlink /proc/self/ns/mnt) = $(readlink /proc/1/ns/mnt) ] && echo joined");
  *exec.mutable_credentials() = container.launch.credentials();
  exec.mutable_process()->mutable_env()->CopyFrom(container.launch.process().env());
  InPod([&](const PodNamespaces& pod) {
    absl::StatusOr<Running> running = Prepare(container, pod);
    ASSERT_TRUE(running.ok()) << running.status();
    ASSERT_TRUE(Begin(*running).ok());
    absl::StatusOr<Output> output = RunExec(*running, pod, exec);
    ASSERT_TRUE(output.ok()) << output.status();
    EXPECT_EQ(output->text, "/tmp/here\n0\njoined\n");
    KillAndReap(running->process.pidfd.get());
  });
}

TEST_F(UserNamespaceTest, WhatWaitsForItsReleaseIsNotDumpableAndMapped) {
  const TestContainer container = Container("true");
  InPod([&](const PodNamespaces& pod) {
    absl::StatusOr<Running> running = Prepare(container, pod);
    ASSERT_TRUE(running.ok()) << running.status();
    const std::string process = absl::StrCat(running->process.pid);
    // The files of a process that is not dumpable are the superuser's: proc(5).
    struct stat st = {};
    ASSERT_EQ(fstatat(pod.procfs.get(), (process + "/environ").c_str(), &st, 0), 0);
    EXPECT_EQ(st.st_uid, 0u);
    const UniqueFd status(
        openat(pod.procfs.get(), (process + "/status").c_str(), O_RDONLY | O_CLOEXEC));
    EXPECT_THAT(*ReadAll(status.get(), 1 << 16), HasSubstr("Uid:\t100000\t100000\t100000"));
    KillAndReap(running->process.pidfd.get());
  });
}

TEST_F(UserNamespaceTest, ThePidOneOfASharedPidNamespaceIsInIt) {
  TestContainer container = Container("kill -9 1; echo $?; sh -c 'kill -0 1' && echo there");
  container.launch.mutable_namespaces()->set_pid(plan::NamespacesPlan::POD);
  InPod(
      [&](const PodNamespaces& pod) {
        const UniqueFd map(openat(pod.procfs.get(), absl::StrCat(pod.pid1_pid, "/uid_map").c_str(),
                                  O_RDONLY | O_CLOEXEC));
        EXPECT_THAT(*ReadAll(map.get(), 1 << 12), HasSubstr("100000"));
        ExpectText(container, pod, "0\nthere\n");
        KillAndReap(pod.pid1.get());
      },
      /*shared_pid=*/true);
}

TEST_F(UserNamespaceTest, TheHostsPidNamespaceIsRefused) {
  TestContainer container = Container("true");
  container.launch.mutable_namespaces()->set_pid(plan::NamespacesPlan::HOST);
  InPod([&](const PodNamespaces& pod) {
    EXPECT_TRUE(absl::IsInvalidArgument(RunContainer(container, pod).status()));
  });
}

TEST(ProbeIdMapping, TellsAFileSystemThatCannot) {
  TestDir dir;
  EXPECT_TRUE(ProbeIdMapping(dir.path()).ok()) << ProbeIdMapping(dir.path());
  EXPECT_TRUE(absl::IsFailedPrecondition(ProbeIdMapping("/proc")));
}

}  // namespace
}  // namespace bulkhead::isolation
