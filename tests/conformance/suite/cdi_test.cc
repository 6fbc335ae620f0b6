// Devices of the Container Device Interface.
#include <filesystem>
#include <future>

#include "nlohmann/json.hpp"
#include "tests/conformance/fixture/child.h"
#include "tests/conformance/fixture/files.h"
#include "tests/conformance/fixture/pod_test.h"
#include "tests/conformance/fixture/user_namespace.h"

namespace bulkhead::fixture {
namespace {

using testing::AllOf;
using testing::HasSubstr;

// Of our own daemon, whose folder of device files is the fixture's.
class CdiTest : public PodTest {
 protected:
  void SetUp() override {
    if (suite().daemon() == nullptr) GTEST_SKIP() << "another runtime reads other folders";
    std::filesystem::create_directory(Folder());
  }
  void TearDown() override {
    PodTest::TearDown();
    if (suite().daemon() != nullptr) std::filesystem::remove_all(Folder());
  }

  std::filesystem::path Folder() { return suite().daemon()->options().folder / "cdi"; }
  // A vendor's file with the device "bulkhead.test/pipe=0".
  void Describe(const std::string& edits) {
    WriteFile(Folder() / "pipe.yaml",
              "cdiVersion: 0.8.0\nkind: bulkhead.test/pipe\ndevices:\n- name: \"0\"\n"
              "  containerEdits:\n" +
                  edits);
  }
  // One that has a script of the host as createContainer hook, with `more` of a hook's keys.
  void Hook(const std::string& script, const std::string& more = "") {
    const std::filesystem::path path = folder() / "hook";
    WriteFile(path,
              "#!/bin/sh\nset -e\nstate=$(cat)\nout=" + folder().string() +
                  "\nbundle=$(echo \"$state\" | sed 's/.*\"bundle\":\"\\([^\"]*\\)\".*/\\1/')\n"
                  "root=$bundle/rootfs\n" +
                  script);
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    Describe("    hooks: [{hookName: createContainer, path: " + path.string() + more + "}]\n");
  }
  static void Use(const std::string& device, v1::ContainerConfig& config) {
    config.add_cdi_devices()->set_name(device);
  }
  v1::ContainerConfig Using(const std::string& script) {
    auto config = Shell(script);
    Use("bulkhead.test/pipe=0", config);
    return config;
  }
  v1::PodSandboxConfig MappedPodConfig() {
    auto config = PodConfig();
    if (HasUserNamespaces(cri())) {
      *config.mutable_linux()
           ->mutable_security_context()
           ->mutable_namespace_options()
           ->mutable_userns_options() = MappedUserNamespace();
    }
    return config;
  }
  Pod HardenedPod() {
    auto pod_config = PodConfig();
    pod_config.mutable_linux()
        ->mutable_security_context()
        ->mutable_namespace_options()
        ->mutable_userns_options()
        ->set_mode(v1::NODE);
    Pod pod{Must(cri().RunPodSandbox(pod_config, "hardened")), pod_config};
    RemoveAtEnd(pod.id);
    return pod;
  }
  std::string Refusal(const v1::ContainerConfig& config) {
    const Pod pod = RunPod();
    const auto made = cri().CreateContainer(pod.id, config, pod.config);
    EXPECT_FALSE(made.ok());
    EXPECT_THAT(Must(cri().ListContainers({})), testing::IsEmpty());
    return std::string(made.status().message());
  }
};

TEST_F(CdiTest, ADeviceBringsItsNodesVariablesMountsAndGroups) {
  std::filesystem::create_directory(folder() / "lib");
  WriteFile(folder() / "lib" / "driver", "built for it\n");
  Describe(
      "    env: [PIPE=0]\n"
      "    additionalGids: [4711]\n"
      "    deviceNodes:\n"
      "    - {path: /dev/pipe0, hostPath: /dev/zero, fileMode: 0640, uid: 7}\n"
      "    - {path: /dev/pipe1, type: c, major: 1, minor: 11, permissions: r}\n"
      "    mounts:\n"
      "    - {hostPath: " +
      (folder() / "lib").string() +
      ", containerPath: /opt/pipe, options: [ro, nosuid, nodev, noexec, rbind]}\n");
  const std::string output =
      OutputOf(RunPod(), Using("echo $PIPE; id -G; stat -c '%a %u %t:%T' /dev/pipe0; "
                               "head -c 4 /dev/pipe0 | wc -c; "
                               "(: > /dev/pipe1) 2>/dev/null || echo not written; "
                               "stat -c '%a %u %t:%T' /dev/pipe1; cat /opt/pipe/driver; "
                               "grep ' /opt/pipe ' /proc/self/mountinfo | cut -d' ' -f6"));
  EXPECT_THAT(output, testing::StartsWith("0\n0 "));
  EXPECT_THAT(output, HasSubstr(" 4711\n640 7 1:5\n4\nnot written\n666 0 1:b\nbuilt for it\n"));
  EXPECT_THAT(output, AllOf(HasSubstr("ro,"), HasSubstr("nosuid"), HasSubstr("nodev"),
                            HasSubstr("noexec")));
}

TEST_F(CdiTest, ACommandHasWhatTheContainerHas) {
  Describe(
      "    env: [PIPE=0]\n    deviceNodes: [{path: /dev/pipe1, type: c, major: 1, minor: 11}]\n");
  auto config = Idle();
  Use("bulkhead.test/pipe=0", config);
  const std::string id = Start(RunPod(), config);
  EXPECT_EQ(Exec(id, "echo $PIPE; : > /dev/pipe1 && echo written"), "0\nwritten\n");
}

TEST_F(CdiTest, ARepeatedCallFindsItsContainerThoughTheFileHasGone) {
  Describe("    env: [PIPE=0]\n");
  const Pod pod = RunPod();
  const auto config = Using("true");
  const std::string id = Create(pod, config);
  std::filesystem::remove(Folder() / "pipe.yaml");
  EXPECT_EQ(Must(cri().CreateContainer(pod.id, config, pod.config)), id);
}

TEST_F(CdiTest, ADeviceInAPodWithAUserNamespaceBelongsToItsUser) {
  if (!HasUserNamespaces(cri())) GTEST_SKIP() << "the runtime has no user namespaces here";
  Describe("    deviceNodes: [{path: /dev/pipe0, hostPath: /dev/zero, uid: 7}]\n");
  const Pod pod = HardenedPod();
  EXPECT_EQ(OutputOf(pod, Using("stat -c %u /dev/pipe0; head -c 4 /dev/pipe0 | wc -c")), "7\n4\n");
}

TEST_F(CdiTest, AHookOfTheHostsChangesTheContainersRoot) {
  WriteFile(folder() / "version", "not of this host\n");
  Hook(
      "ln -s libpipe.so.1 $root/libpipe.so\n"
      "mount --bind $out/version $root/proc/version\n"
      "mkdir $root/mnt\nmount -t tmpfs pipe $root/mnt\n");
  const Pod pod = RunPod();
  const std::string mounts = ReadFile("/proc/self/mountinfo");
  const std::string id = Start(pod, Using("exec sleep 1000"));
  EXPECT_EQ(ReadFile("/proc/self/mountinfo"), mounts);
  EXPECT_EQ(Exec(id, "readlink /libpipe.so; cat /proc/version; grep -c ' /mnt ' /proc/mounts"),
            "libpipe.so.1\nnot of this host\n1\n");
  // The host's tree has gone.
  EXPECT_EQ(Exec(id, "ls -d /proc/1/root" + folder().string() + " 2>/dev/null; echo none"),
            "none\n");
  EXPECT_THAT(Exec(id, "cut -d' ' -f5 /proc/1/mountinfo"), testing::Not(HasSubstr("/rootfs")));
}

TEST_F(CdiTest, AHookIsToldOfTheContainerAndHasNoEnvironmentOfTheImages) {
  Hook(
      "echo \"$state\" > $out/state\ncat $bundle/config.json > $out/config\n"
      "echo $0 $* > $out/arguments\nenv > $out/env\npwd > $out/directory\n",
      ", args: [pipe-hook, --all], env: [OWN=1]");
  auto config = Using("exec sleep 1000");
  // As CVE-2025-23266 loaded the image's program into the vendor's.
  auto& variable = *config.add_envs();
  variable.set_key("LD_PRELOAD");
  variable.set_value("./poc.so");
  const std::string id = Start(RunPod(), config);
  const auto state = nlohmann::json::parse(ReadFile(folder() / "state"));
  EXPECT_EQ(state["id"], id);
  EXPECT_EQ(state["status"], "creating");
  EXPECT_TRUE(std::filesystem::exists("/proc/" + state["pid"].dump()));
  EXPECT_EQ(nlohmann::json::parse(ReadFile(folder() / "config"))["root"]["path"], "rootfs");
  EXPECT_THAT(ReadFile(folder() / "arguments"), testing::EndsWith("/hook --all\n"));
  EXPECT_THAT(ReadFile(folder() / "env"),
              AllOf(HasSubstr("OWN=1\n"), testing::Not(HasSubstr("LD_PRELOAD"))));
  EXPECT_EQ(ReadFile(folder() / "directory"), "/\n");
}

TEST_F(CdiTest, AReadOnlyRootIsWritableForHooksAlone) {
  Hook("echo made > $root/made\n");
  for (const auto& pod_config : {PodConfig(), MappedPodConfig()}) {
    auto config = Using("cat /made; trap 'exit 0' TERM; while :; do sleep 1000 & wait; done");
    config.mutable_linux()->mutable_security_context()->set_readonly_rootfs(true);
    const std::string id = Start(RunPod(pod_config), config);
    EXPECT_EQ(Exec(id, "cat /made; (: > /own) 2>/dev/null || echo refused"), "made\nrefused\n");
  }
}

TEST_F(CdiTest, AHookWorksOnTheRootOfAPodWithAUserNamespace) {
  if (!HasUserNamespaces(cri())) GTEST_SKIP() << "the runtime has no user namespaces here";
  Hook("ln -s libpipe.so.1 $root/libpipe.so\nmkdir $root/mnt\nmount -t tmpfs pipe $root/mnt\n");
  const std::string id = Start(RunPod(MappedPodConfig()), Using("exec sleep 1000"));
  EXPECT_EQ(Exec(id, "readlink /libpipe.so; grep -c ' /mnt ' /proc/mounts"), "libpipe.so.1\n1\n");
}

// With the image's it would be the host's superuser that executes the image's programs.
TEST_F(CdiTest, WhatAHookLeavesRunningKeepsTheHostsRoot) {
  Hook(
      "setsid sh -c 'touch '$out'/there; while ! [ -e '$out'/go ]; do sleep 0.1; done; "
      "[ -e /bin/probe ] && echo image > '$out'/seen || echo host > '$out'/seen' "
      ">/dev/null 2>&1 &\nwhile ! [ -e $out/there ]; do :; done\n");
  const std::string id = Start(RunPod(), Using("exec sleep 1000"));
  EXPECT_EQ(Exec(id, "ls /bin/probe"), "/bin/probe\n");
  WriteFile(folder() / "go", "");
  Await([&] { return std::filesystem::exists(folder() / "seen"); }, "what the process sees");
  Await([&] { return !ReadFile(folder() / "seen").empty(); }, "what the process sees");
  EXPECT_EQ(ReadFile(folder() / "seen"), "host\n");
}

TEST_F(CdiTest, TheSuperuserOfAUserNamespaceDoesNotMakeTheRootWritableAgain) {
  if (!HasUserNamespaces(cri())) GTEST_SKIP() << "the runtime has no user namespaces here";
  Hook("true\n");
  auto config = Using(
      "mount -o remount,bind,rw / 2>/dev/null; mount -o remount,rw / 2>/dev/null;"
      "(: > /own) 2>/dev/null || echo refused");
  auto& security = *config.mutable_linux()->mutable_security_context();
  security.set_readonly_rootfs(true);
  security.mutable_capabilities()->add_add_capabilities("SYS_ADMIN");
  EXPECT_EQ(OutputOf(RunPod(MappedPodConfig()), config), "refused\n");
}

TEST_F(CdiTest, AHookThatMountsOverTheRootFailsTheContainer) {
  Hook("mount --bind $root $root\n");
  EXPECT_THAT(Refusal(Using("true")), HasSubstr("a hook mounted over the root"));
}

// As snapd has them.
TEST_F(CdiTest, AMountNamespaceThatIsMountedOnTheHostIsNoHindrance) {
  const std::string directory = folder() / "namespaces";
  WriteFile(directory + "/one", "");
  RunCommand({"mount", "--bind", directory, directory});
  RunCommand({"mount", "--make-private", directory});
  // It fails where its child is to mount the namespace and is faster than itself (EINVAL).
  RunCommand(
      {"sh", "-c", "until unshare --mount=" + directory + "/one true 2>/dev/null; do :; done"});
  Hook("true\n");
  EXPECT_EQ(OutputOf(RunPod(), Using("echo ran")), "ran\n");
  RunCommand({"umount", directory + "/one"});
  RunCommand({"umount", directory});
}

TEST_F(CdiTest, AStopOfThePodEndsAHook) {
  Hook("touch $out/there\nexec sleep 1000\n");
  const Pod pod = RunPod();
  auto making = std::async(std::launch::async, [&] {
    return cri().CreateContainer(pod.id, Using("true"), pod.config).status();
  });
  Await([&] { return std::filesystem::exists(folder() / "there"); }, "the hook's begin");
  Must(cri().StopPodSandbox(pod.id));
  EXPECT_THAT(making.get().message(), HasSubstr("/hook: was cancelled"));
}

TEST_F(CdiTest, ADeviceWithHooksIsRefusedByAHardenedHandler) {
  if (!HasUserNamespaces(cri())) GTEST_SKIP() << "the runtime has no user namespaces here";
  Hook("true\n");
  const Pod pod = HardenedPod();
  const auto made = cri().CreateContainer(pod.id, Using("true"), pod.config);
  EXPECT_THAT(made.status().message(),
              HasSubstr("config.CDI_devices: a device with hooks is refused by the handler"));
}

TEST_F(CdiTest, AHookThatFailsFailsTheContainerAndLeavesNothing) {
  const Pod pod = RunPod();
  const auto refusal = [&] {
    const std::string mounts = ReadFile("/proc/self/mountinfo");
    const auto made = cri().CreateContainer(pod.id, Using("true"), pod.config);
    EXPECT_FALSE(made.ok());
    EXPECT_THAT(Must(cri().ListContainers({})), testing::IsEmpty());
    EXPECT_EQ(ReadFile("/proc/self/mountinfo"), mounts);
    return std::string(made.status().message());
  };
  Hook("mkdir $root/mnt\nmount -t tmpfs pipe $root/mnt\necho no such pipe >&2\nexit 3\n");
  EXPECT_THAT(refusal(), HasSubstr("/hook failed with exit status 3: no such pipe"));
  Hook("exec sleep 1000\n", ", timeout: 1");
  EXPECT_THAT(refusal(), HasSubstr("/hook: did not end within 1000 ms"));
  Hook("kill -9 $$\n");
  EXPECT_THAT(refusal(), HasSubstr("/hook failed with signal 9"));
  std::filesystem::remove(folder() / "hook");
  EXPECT_THAT(refusal(), HasSubstr("/hook"));
  Hook("touch $root/ran\n");
  EXPECT_EQ(OutputOf(pod, Using("ls /ran")), "/ran\n");
}

TEST_F(CdiTest, WhatCannotBeGivenIsRefusedByNameAndNothingIsLeft) {
  auto config = Shell("true");
  Use("pipe", config);
  EXPECT_THAT(Refusal(config), HasSubstr("config.CDI_devices[0].name: value \"pipe\" is not of"));
  EXPECT_THAT(Refusal(Using("true")),
              HasSubstr("CDI_devices[0].name \"bulkhead.test/pipe=0\": is in no file of"));
  Describe("    hooks: [{hookName: poststart, path: /bin/true}]\n");
  EXPECT_THAT(Refusal(Using("true")),
              HasSubstr("pipe.yaml: needs hooks of the kind poststart, which is not built"));
  Describe("    deviceNodes: [{path: /dev/pipe0, hostPath: /dev/none}]\n");
  EXPECT_THAT(Refusal(Using("true")), HasSubstr("/dev/none"));
}

}  // namespace
}  // namespace bulkhead::fixture
