// What the superuser of a pod's user namespace cannot do: with every capability there is in it, and
// with more in reach than a container has.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/process.h"
#include "tests/kernel/isolation/test_pod.h"

namespace bulkhead::isolation {
namespace {

namespace fs = std::filesystem;
using testing::AnyOf;

// The errno of a system call, 0 when it succeeded.
int Error(long result) { return result < 0 ? errno : 0; }

int TryWrite(const std::string& path, const std::string& text) {
  const UniqueFd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file.valid()) return errno;
  return Error(write(file.get(), text.data(), text.size()));
}

int TryOpen(int directory, const std::string& path) {
  const UniqueFd file(openat(directory, path.c_str(), O_RDONLY | O_CLOEXEC));
  return file.valid() ? 0 : errno;
}

int TryMakeWritable(const char* path) {
  return Error(mount(nullptr, path, nullptr, MS_REMOUNT | MS_BIND, nullptr));
}

class AttackTest : public testing::Test {
 protected:
  AttackTest() {
    layer_ = dir_.Make("layer");
    MakeBusyboxLayer(layer_);
    fs::create_directories(layer_ + "/data");
    fs::create_directories(dir_.Make("volume") + "/inner");
    std::ofstream(dir_.path() + "/volume/file") << "kept";
    std::ofstream(dir_.path() + "/secret") << "secret";
  }
  void SetUp() override {
#ifdef __SANITIZE_THREAD__
    GTEST_SKIP() << "the race detector has a thread, with which setns(2) enters no user namespace";
#endif
  }
  ~AttackTest() override { EXPECT_EQ(HostMounts(), mounts_before_); }

  TestContainer Container() {
    return MakeContainer("c", layer_, dir_.Make("c"), {"sleep", "1000"});
  }

  // Runs `attack` as the superuser of a running container's user and mount namespace. It still is
  // in the host's PID namespace, so that nothing is out of its reach for want of a number.
  void Attack(const TestContainer& container,
              const std::function<void(const PodNamespaces&)>& attack, bool start = true) {
    RunForked([&] {
      std::vector<UniqueFd> fds;
      const plan::PodPlan plan = MakeMappedPodPlan(fds);
      absl::StatusOr<PodNamespaces> pod = SetUpPod(plan, fds);
      ASSERT_TRUE(pod.ok()) << pod.status();
      fds.clear();
      absl::StatusOr<Running> running = Prepare(container, *pod);
      ASSERT_TRUE(running.ok()) << running.status();
      if (start) {
        ASSERT_TRUE(Begin(*running).ok());
      }
      pid_ = running->process.pid;
      RunForked([&] {
        const int flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWCGROUP;
        ASSERT_EQ(setns(running->process.pidfd.get(), flags), 0);
        ASSERT_EQ(Error(syscall(SYS_setgroups, 0, nullptr)), 0);
        ASSERT_EQ(Error(syscall(SYS_setresgid, 0, 0, 0)), 0);
        ASSERT_EQ(Error(syscall(SYS_setresuid, 0, 0, 0)), 0);
        attack(*pod);
      });
      KillAndReap(running->process.pidfd.get());
    });
  }

  const std::string mounts_before_ = HostMounts();
  TestDir dir_;
  std::string layer_;
  pid_t pid_ = 0;  // The container's first process, on the host.
};

TEST_F(AttackTest, NothingMakesAReadOnlyMountWritable) {
  TestContainer container = Container();
  plan::Mount* volume = container.AddBind(dir_.path() + "/volume", "/data");
  volume->mutable_bind()->set_id_mapped(true);
  volume->set_attributes(MOUNT_ATTR_RDONLY);
  Attack(container, [](const PodNamespaces&) {
    EXPECT_EQ(TryWrite("/data/file", "x"), EROFS);
    EXPECT_EQ(TryMakeWritable("/data"), EPERM);
    EXPECT_EQ(Error(mount(nullptr, "/data", nullptr, MS_REMOUNT, nullptr)), EPERM);
    EXPECT_EQ(Error(umount2("/data", MNT_DETACH)), EINVAL);
    EXPECT_EQ(Error(syscall(SYS_move_mount, AT_FDCWD, "/data", AT_FDCWD, "/tmp", 0)), EINVAL);
    // Copies are locked too.
    ASSERT_EQ(Error(mount("/data", "/tmp", nullptr, MS_BIND, nullptr)), 0);
    EXPECT_EQ(TryMakeWritable("/tmp"), EPERM);
    EXPECT_EQ(TryWrite("/tmp/file", "x"), EROFS);
    const UniqueFd copy(open_tree(AT_FDCWD, "/data", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
    ASSERT_TRUE(copy.valid());
    mount_attr writable = {.attr_clr = MOUNT_ATTR_RDONLY};
    EXPECT_EQ(Error(mount_setattr(copy.get(), "", AT_EMPTY_PATH, &writable, sizeof(writable))),
              EPERM);
    // As are they for the superuser of a user namespace below.
    ASSERT_EQ(Error(unshare(CLONE_NEWUSER | CLONE_NEWNS)), 0);
    EXPECT_EQ(TryMakeWritable("/data"), EPERM);
  });
  EXPECT_EQ(fs::file_size(dir_.path() + "/volume/file"), 4u);
}

TEST_F(AttackTest, NothingShowsWhatAMaskCovers) {
  TestContainer container = Container();
  container.launch.mutable_late_mounts()->add_masked_paths("/proc/tty");
  container.launch.mutable_late_mounts()->add_masked_paths("/sys/kernel");
  Attack(container, [](const PodNamespaces&) {
    ASSERT_TRUE(fs::is_empty("/proc/tty"));
    EXPECT_EQ(Error(umount2("/proc/tty", MNT_DETACH)), EINVAL);
    for (const char* whole : {"/proc", "/sys", "/"}) {
      EXPECT_EQ(Error(mount(whole, "/tmp", nullptr, MS_BIND, nullptr)), EINVAL) << whole;
      EXPECT_EQ(Error(open_tree(AT_FDCWD, whole, OPEN_TREE_CLONE)), EINVAL) << whole;
    }
    EXPECT_EQ(Error(mount("sysfs", "/tmp", "sysfs", 0, nullptr)), EPERM);
    // Nor in a PID namespace of its own, whose procfs it might mount.
    ASSERT_EQ(Error(unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID)), 0);
    RunForked([] { EXPECT_EQ(Error(mount("proc", "/tmp", "proc", 0, nullptr)), EPERM); });
  });
}

TEST_F(AttackTest, FileSystemsOfTheHostsSuperuserCannotBeReconfigured) {
  Attack(Container(), [](const PodNamespaces&) {
    for (const char* place : {"/", "/dev", "/dev/shm", "/dev/pts", "/proc", "/sys"}) {
      const UniqueFd context(fspick(AT_FDCWD, place, FSPICK_CLOEXEC));
      ASSERT_TRUE(context.valid()) << place;
      EXPECT_EQ(Error(fsconfig(context.get(), FSCONFIG_CMD_RECONFIGURE, nullptr, nullptr, 0)),
                EPERM)
          << place;
    }
    EXPECT_EQ(Error(mount(nullptr, "/dev/shm", nullptr, MS_REMOUNT, "size=1g")), EPERM);
    EXPECT_EQ(Error(mknod("/dev/disk", S_IFBLK | 0666, makedev(8, 0))), EPERM);
  });
}

// They would be those of the pod's superuser.
TEST_F(AttackTest, DeviceNodesOfImagesAndMappedVolumesHaveNoEffect) {
  for (const char* place : {"layer/data/node", "volume/node"}) {
    const std::string path = absl::StrCat(dir_.path(), "/", place);
    ASSERT_EQ(mknod(path.c_str(), S_IFCHR | 0600, makedev(1, 3)), 0);
  }
  TestContainer container = Container();
  container.AddBind(dir_.path() + "/volume", "/volume")->mutable_bind()->set_id_mapped(true);
  Attack(container, [](const PodNamespaces&) {
    for (const char* node : {"/data/node", "/volume/node"}) {
      struct stat st = {};
      ASSERT_EQ(stat(node, &st), 0) << node;
      EXPECT_EQ(st.st_uid, 0u) << node;
      EXPECT_EQ(TryOpen(AT_FDCWD, node), EACCES) << node;
    }
    for (const char* place : {"/", "/volume"}) EXPECT_EQ(TryMakeWritable(place), EPERM) << place;
    EXPECT_EQ(TryOpen(AT_FDCWD, "/dev/null"), 0);
  });
}

TEST_F(AttackTest, ProcAndSysOfTheHostStayReadOnlyWithoutAnyMask) {
  Attack(Container(), [](const PodNamespaces&) {
    for (const char* file :
         {"kernel/core_pattern", "kernel/modprobe", "kernel/hotplug", "kernel/sysrq",
          "kernel/yama/ptrace_scope", "vm/drop_caches", "fs/suid_dumpable",
          "fs/binfmt_misc/register", "kernel/unprivileged_bpf_disabled"}) {
      const std::string path = absl::StrCat("/proc/sys/", file);
      EXPECT_THAT(TryWrite(path, "1"), AnyOf(EACCES, ENOENT)) << path;
    }
    EXPECT_THAT(TryWrite("/proc/sysrq-trigger", "h"), AnyOf(EACCES, ENOENT));
    EXPECT_THAT(TryOpen(AT_FDCWD, "/proc/kcore"), AnyOf(EACCES, ENOENT));
    EXPECT_THAT(TryWrite("/sys/kernel/uevent_helper", "/x"), AnyOf(EROFS, ENOENT));
    EXPECT_EQ(TryMakeWritable("/sys"), EPERM);
  });
}

TEST_F(AttackTest, ACgroupHierarchyOfItsOwnMountingIsNotItsOwn) {
  Attack(Container(), [](const PodNamespaces&) {
    // In the container's namespace, which the host's superuser made, and in one of its own.
    EXPECT_EQ(Error(mount("cgroup2", "/tmp", "cgroup2", 0, nullptr)), EPERM);
    ASSERT_EQ(Error(unshare(CLONE_NEWCGROUP)), 0);
    ASSERT_EQ(Error(mount("cgroup2", "/tmp", "cgroup2", 0, nullptr)), 0);
    EXPECT_EQ(TryWrite("/tmp/cgroup.procs", "0"), EACCES);
    EXPECT_EQ(Error(mkdir("/tmp/group", 0755)), EACCES);
    // CVE-2022-0492.
    const int v1 = Error(mount("cgroup", "/tmp", "cgroup", 0, "memory,release_agent=/x"));
    EXPECT_THAT(v1, AnyOf(EINVAL, EPERM, ENOENT, EBUSY, ENODEV));
  });
}

// Shocker: a handle names a file beside what is mounted.
TEST_F(AttackTest, AHandleOpensNothingBesideAVolume) {
  TestContainer container = Container();
  container.AddBind(dir_.path() + "/volume", "/data")->mutable_bind()->set_id_mapped(true);
  struct {
    file_handle head = {.handle_bytes = MAX_HANDLE_SZ};
    std::array<char, MAX_HANDLE_SZ> rest;
  } handle;
  int mount_id = 0;
  const std::string secret = dir_.path() + "/secret";
  if (name_to_handle_at(AT_FDCWD, secret.c_str(), &handle.head, &mount_id, 0) != 0) {
    GTEST_SKIP() << "the file system has no handles";
  }
  Attack(container, [&](const PodNamespaces&) {
    const UniqueFd volume(open("/data", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_TRUE(volume.valid());
    const UniqueFd file(open_by_handle_at(volume.get(), &handle.head, O_RDONLY | O_CLOEXEC));
    EXPECT_THAT(file.valid() ? 0 : errno, AnyOf(EPERM, ESTALE));
  });
}

TEST_F(AttackTest, TheSupervisorIsOutOfReachWhateverItsNumber) {
  // The process that set the pod up.
  Attack(Container(), [](const PodNamespaces& pod) {
    const pid_t supervisor = getppid();
    EXPECT_EQ(Error(kill(supervisor, 0)), EPERM);
    EXPECT_EQ(Error(ptrace(PTRACE_SEIZE, supervisor, nullptr, nullptr)), EPERM);
    const rlimit limit = {1, 1};
    EXPECT_EQ(Error(prlimit(supervisor, RLIMIT_NOFILE, &limit, nullptr)), EPERM);
    const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, supervisor, 0)));
    ASSERT_TRUE(process.valid());
    EXPECT_EQ(Error(syscall(SYS_pidfd_getfd, process.get(), 0, 0)), EPERM);
    EXPECT_EQ(Error(setns(process.get(), CLONE_NEWNS)), EPERM);
    for (const char* file : {"mem", "environ", "root/", "cwd/", "exe", "fd/", "ns/mnt", "ns/user",
                             "map_files/", "maps"}) {
      EXPECT_EQ(TryOpen(pod.procfs.get(), absl::StrCat(supervisor, "/", file)), EACCES) << file;
    }
  });
}

TEST_F(AttackTest, WhatIsAboutToBecomeTheContainerIsOutOfReach) {
  // Its ids are the pod's already; its memory and its program are ours (CVE-2019-5736).
  const auto attack = [this](const PodNamespaces& pod) {
    EXPECT_EQ(Error(ptrace(PTRACE_SEIZE, pid_, nullptr, nullptr)), EPERM);
    const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
    ASSERT_TRUE(process.valid());
    EXPECT_EQ(Error(syscall(SYS_pidfd_getfd, process.get(), 3, 0)), EPERM);
    char byte = 0;
    const iovec here = {&byte, 1};
    const iovec there = {&byte, 1};
    EXPECT_EQ(Error(process_vm_readv(pid_, &here, 1, &there, 1, 0)), EPERM);
    for (const char* file : {"mem", "exe", "fd/3", "root/", "maps", "ns/pid"}) {
      EXPECT_EQ(TryOpen(pod.procfs.get(), absl::StrCat(pid_, "/", file)), EACCES) << file;
    }
  };
  Attack(Container(), attack, /*start=*/false);
}

TEST_F(AttackTest, NoNamespaceLeadsToTheHosts) {
  Attack(Container(), [this](const PodNamespaces& pod) {
    const auto own = [&](const char* type) {
      const std::string path = absl::StrCat(pid_, "/ns/", type);
      return UniqueFd(openat(pod.procfs.get(), path.c_str(), O_RDONLY | O_CLOEXEC));
    };
    const UniqueFd user = own("user");
    ASSERT_TRUE(user.valid());
    EXPECT_EQ(Error(ioctl(user.get(), NS_GET_PARENT)), EPERM);
    EXPECT_EQ(Error(ioctl(user.get(), NS_GET_USERNS)), EPERM);
    for (const char* type : {"pid", "cgroup"}) {
      EXPECT_EQ(Error(ioctl(own(type).get(), NS_GET_USERNS)), EPERM) << type;
    }
    // Those that are the pod's are owned by its user namespace, not by one above.
    for (const char* type : {"net", "ipc", "uts", "mnt"}) {
      const UniqueFd owner(ioctl(own(type).get(), NS_GET_USERNS));
      ASSERT_TRUE(owner.valid()) << type;
      struct stat expected = {}, seen = {};
      ASSERT_EQ(fstat(user.get(), &expected), 0);
      ASSERT_EQ(fstat(owner.get(), &seen), 0);
      EXPECT_EQ(seen.st_ino, expected.st_ino) << type;
    }
  });
}

TEST_F(AttackTest, AContainerHasNoDescriptorsButItsStreams) {
  TestContainer container = Container();
  container.SetArgs({"sh", "-c", "cd /proc/self/fd; echo *"});
  RunForked([&] {
    std::vector<UniqueFd> fds;
    const plan::PodPlan plan = MakeMappedPodPlan(fds);
    absl::StatusOr<PodNamespaces> pod = SetUpPod(plan, fds);
    ASSERT_TRUE(pod.ok()) << pod.status();
    absl::StatusOr<Output> output = RunContainer(container, *pod);
    ASSERT_TRUE(output.ok()) << output.status();
    // 3 is the shell's, of the folder.
    EXPECT_EQ(output->text, "0 1 2 3\n");
  });
}

// A container's first process can be anywhere below its pod when an exec joins it.
TEST_F(AttackTest, AnExecIsThePodsWhateverTheFirstProcessHasEntered) {
  TestContainer container = Container();
  container.SetArgs({"unshare", "-U", "-m", "-r", "sh", "-c",
                     "mount -t tmpfs t /tmp && touch /tmp/here && echo ready; sleep 1000"});
  plan::ExecPlan exec;
  exec.set_container_id("c");
  exec.mutable_process()->add_args("sh");
  exec.mutable_process()->add_args("-c");
  exec.mutable_process()->add_args(
      "ls /tmp/here; id -u; tr -s ' ' < /proc/self/uid_map; cd /proc/self/fd; echo *");
  *exec.mutable_credentials() = container.launch.credentials();
  exec.mutable_process()->mutable_env()->CopyFrom(container.launch.process().env());
  RunForked([&] {
    std::vector<UniqueFd> fds;
    const plan::PodPlan plan = MakeMappedPodPlan(fds);
    absl::StatusOr<PodNamespaces> pod = SetUpPod(plan, fds);
    ASSERT_TRUE(pod.ok()) << pod.status();
    absl::StatusOr<Running> running = Prepare(container, *pod);
    ASSERT_TRUE(running.ok()) << running.status();
    ASSERT_TRUE(Begin(*running).ok());
    char line[6] = "";
    ASSERT_EQ(read(running->output.get(), line, sizeof(line)), 6);
    ASSERT_EQ(std::string(line, 6), "ready\n");
    absl::StatusOr<Output> output = RunExec(*running, *pod, exec);
    ASSERT_TRUE(output.ok()) << output.status();
    EXPECT_EQ(output->text, "/tmp/here\n0\n 0 100000 65536\n0 1 2 3\n");
    KillAndReap(running->process.pidfd.get());
  });
}

}  // namespace
}  // namespace bulkhead::isolation
