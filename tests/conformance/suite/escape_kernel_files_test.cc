// Ways out by files of the kernel: what the runtime writes to /proc, what it puts over it, cgroups.
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/conformance/fixture/escape_test.h"
#include "tests/conformance/fixture/test_cgroup.h"

namespace bulkhead::fixture {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr char kCorePattern[] = "/proc/sys/kernel/core_pattern";

class EscapeByKernelFiles : public EscapeTest {
 protected:
  // That a pod with this setting is refused, and the host as it was.
  void ExpectRefused(const std::string& name, const std::string& value) {
    const std::string before = ReadFile(kCorePattern);
    auto config = PodConfig();
    (*config.mutable_linux()->mutable_sysctls())[name] = value;
    const auto run = cri().RunPodSandbox(config);
    if (run.ok()) RemoveAtEnd(*run);
    EXPECT_FALSE(run.ok()) << name << "=" << value;
    EXPECT_EQ(ReadFile(kCorePattern), before) << name << "=" << value;
  }
  // A /dev that is a volume, with everything but the null device.
  fs::path MakeDev() {
    const fs::path dev = folder() / "dev";
    for (const char* name : {"pts", "shm", "mqueue"}) fs::create_directories(dev / name);
    return dev;
  }
};

// CVE-2022-0811: "+" parted settings, so that a harmless one brought another along.
TEST_F(EscapeByKernelFiles, ASettingOfAPodBringsNoOtherAlong) {
  for (const char* end : {"+kernel.core_pattern=|/escape", "\nkernel.core_pattern=|/escape",
                          ",kernel.core_pattern=|/escape", ";kernel.core_pattern=|/escape"}) {
    ExpectRefused("kernel.shm_rmid_forced", absl::StrCat("1", end));
    ExpectRefused(absl::StrCat("kernel.shm_rmid_forced=1", end), "1");
    ExpectRefused(absl::StrCat("net.ipv4.ip_forward=1", end), "1");
  }
}

TEST_F(EscapeByKernelFiles, ASettingOfTheHostIsRefusedHoweverItIsWritten) {
  for (const char* name :
       {"kernel.core_pattern", "kernel/core_pattern", "net/../kernel/core_pattern",
        "net.ipv4/../../kernel/core_pattern", "net/ipv4/../../kernel/core_pattern",
        "fs.mqueue/../../kernel/core_pattern", "net//../kernel/core_pattern",
        "/proc/sys/kernel/core_pattern", "net/ipv4/conf/all/../../../../kernel/core_pattern",
        "KERNEL.core_pattern", "kernel.core_pattern.", ".kernel.core_pattern"}) {
    ExpectRefused(name, "|/escape");
  }
}

// CVE-2019-16884, CVE-2025-52881: a volume stands in for the files of /proc that the runtime
// writes.
TEST_F(EscapeByKernelFiles, WhatTheRuntimeWritesReachesTheRealProcfs) {
  const fs::path fake = folder() / "fake";
  const std::vector<std::string> files = {
      "oom_score_adj", "attr/exec",      "attr/apparmor/exec",
      "attr/current",  "attr/keycreate", "sys/net/ipv4/ip_unprivileged_port_start",
      "setgroups",     "uid_map"};
  for (const std::string& file : files) WriteFile(fake / file, "");
  auto pod_config = PodConfig();
  (*pod_config.mutable_linux()->mutable_sysctls())["net.ipv4.ip_unprivileged_port_start"] = "77";
  const Pod pod = RunPod(pod_config);
  const std::string mark = absl::StrCat("4711", getpid());
  auto config = Command({"sleep", mark});
  config.mutable_linux()->mutable_resources()->set_oom_score_adj(321);
  Mount(config, fake, "/proc/self");
  Mount(config, fake / "sys", "/proc/sys");
  const std::string id = Start(pod, config);
  const pid_t pid = HostPid({"sleep", mark});
  ASSERT_GT(pid, 0);
  EXPECT_EQ(ReadFile(absl::StrCat("/proc/", pid, "/oom_score_adj")), "321\n");
  EXPECT_EQ(Exec(id, "cat /proc/$$/oom_score_adj"), "321\n");
  for (const std::string& file : files) EXPECT_EQ(ReadFile(fake / file), "") << file;
  EXPECT_EQ(OutputOf(pod, Shell("cat /proc/sys/net/ipv4/ip_unprivileged_port_start")), "77\n");
}

TEST_F(EscapeByKernelFiles, AVolumeDoesNotReplaceTheProcfs) {
  const Pod pod = RunPod();
  for (const char* place : {"/proc", "/proc/", "//proc/.", "/proc/../proc", "/./proc"}) {
    auto config = Shell("true");
    Mount(config, outside(), place);
    EXPECT_FALSE(Try(pod, config).ok()) << place;
  }
  // Through a link of the image it lands below the procfs.
  auto config =
      OfImage(Shell("test -e /proc/secret || grep -c ' /proc proc ' /proc/mounts"),
              PullWithLayer({{.path = "link", .type = Entry::Type::kSymlink, .target = "/proc"}}));
  Mount(config, outside(), "/link");
  EXPECT_EQ(OutputOf(pod, config), "1\n");
}

// CVE-2025-31133: the mask over a file is whatever lies at the container's /dev/null.
TEST_F(EscapeByKernelFiles, AMaskIsTheNullDeviceOrTheContainerIsRefused) {
  const fs::path null = MakeDev() / "null";
  const Pod pod = RunPod();
  const auto refused = [&] {
    auto config = Shell("cat /proc/version > /dev/null");
    Mount(config, folder() / "dev", "/dev");
    Security(config).add_masked_paths("/proc/version");
    const absl::Status status = Try(pod, config);
    EXPECT_FALSE(status.ok());
    return std::string(status.message());
  };
  EXPECT_THAT(refused(), HasSubstr("/dev/null")) << "none";
  for (const char* target : {"/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "zero"}) {
    fs::create_symlink(target, null);
    EXPECT_THAT(refused(), HasSubstr("/dev/null")) << target;
    fs::remove(null);
  }
  WriteFile(null, "shown\n");
  EXPECT_THAT(refused(), HasSubstr("/dev/null")) << "a file";
  fs::remove(null);
  ASSERT_EQ(mknod(null.c_str(), S_IFCHR | 0666, makedev(1, 5)), 0);
  EXPECT_THAT(refused(), HasSubstr("/dev/null")) << "another device";
}

TEST_F(EscapeByKernelFiles, AnImagesOwnNullDeviceIsNotTheMask) {
  auto config = OfImage(Shell("wc -c < /proc/version; test -c /dev/null && echo device"),
                        PullWithLayer({{.path = "dev/null",
                                        .type = Entry::Type::kSymlink,
                                        .target = "/proc/sys/kernel/core_pattern"}}));
  Security(config).add_masked_paths("/proc/version");
  EXPECT_EQ(OutputOf(RunPod(), config), "0\ndevice\n");
}

// CVE-2025-52565: the terminal was mounted over wherever /dev/console led, before the masks.
TEST_F(EscapeByKernelFiles, TheConsoleIsNotMountedThroughALink) {
  const Pod pod = RunPod();
  for (const char* target : {"/proc/sysrq-trigger", "/etc/passwd", "../etc/made"}) {
    // An image's /dev is covered; a volume's is not.
    auto config = OfImage(
        Shell("tty < /dev/console; grep -c devpts /proc/mounts; ls /etc/made 2> /dev/null; "
              "grep -E 'sysrq|passwd|made' /proc/mounts; true"),
        PullWithLayer({{.path = "dev/console", .type = Entry::Type::kSymlink, .target = target}}));
    config.set_tty(true);
    EXPECT_EQ(absl::StrReplaceAll(OutputOf(pod, config), {{"\r", ""}}), "/dev/console\n2\n")
        << target;
    auto in_volume = Shell("true");
    in_volume.set_tty(true);
    const fs::path dev = MakeDev();
    fs::create_symlink(target, dev / "console");
    Mount(in_volume, dev, "/dev");
    EXPECT_FALSE(Try(pod, in_volume).ok()) << target;
    fs::remove_all(dev);
  }
}

// CVE-2022-0492: the host's kernel starts what release_agent names.
TEST_F(EscapeByKernelFiles, NoReleaseAgentCanBeSet) {
  const Pod pod = RunPod();
  for (const auto profile :
       {v1::SecurityProfile::Unconfined, v1::SecurityProfile::RuntimeDefault}) {
    auto config = Command({"attack", "release-agent"});
    Security(config).mutable_seccomp()->set_profile_type(profile);
    EXPECT_EQ(OutputOf(pod, config), "tried\n");
  }
}

// CVE-2023-25809: the cgroups were writable where the cgroup namespace was not the container's own.
TEST_F(EscapeByKernelFiles, NoCgroupIsWritable) {
  auto config = Shell(
      "grep -c cgroup /proc/mounts > /dev/null && echo mounted; "
      "grep cgroup /proc/mounts | grep -v ' ro,'; "
      "for file in $(find /sys/fs/cgroup -name cgroup.procs -o -name 'memory.*limit*'); do "
      "echo 0 2> /dev/null > $file && echo $file; done; "
      "for place in $(find /sys/fs/cgroup -type d); do "
      "mkdir $place/escape 2> /dev/null && echo $place; done; true");
  EXPECT_EQ(OutputOf(RunPod(), config), "mounted\n");
}

}  // namespace
}  // namespace bulkhead::fixture
