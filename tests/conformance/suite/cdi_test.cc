// Devices of the Container Device Interface.
#include <filesystem>

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
  static void Use(const std::string& device, v1::ContainerConfig& config) {
    config.add_cdi_devices()->set_name(device);
  }
  v1::ContainerConfig Using(const std::string& script) {
    auto config = Shell(script);
    Use("bulkhead.test/pipe=0", config);
    return config;
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
  auto pod_config = PodConfig();
  pod_config.mutable_linux()
      ->mutable_security_context()
      ->mutable_namespace_options()
      ->mutable_userns_options()
      ->set_mode(v1::NODE);
  const Pod pod{Must(cri().RunPodSandbox(pod_config, "hardened")), pod_config};
  RemoveAtEnd(pod.id);
  EXPECT_EQ(OutputOf(pod, Using("stat -c %u /dev/pipe0; head -c 4 /dev/pipe0 | wc -c")), "7\n4\n");
}

TEST_F(CdiTest, WhatCannotBeGivenIsRefusedByNameAndNothingIsLeft) {
  auto config = Shell("true");
  Use("pipe", config);
  EXPECT_THAT(Refusal(config), HasSubstr("config.CDI_devices[0].name: value \"pipe\" is not of"));
  EXPECT_THAT(Refusal(Using("true")),
              HasSubstr("CDI_devices[0].name \"bulkhead.test/pipe=0\": is in no file of"));
  Describe("    hooks: [{hookName: createContainer, path: /bin/true}]\n");
  EXPECT_THAT(Refusal(Using("true")), HasSubstr("pipe.yaml: needs hooks, which is not built"));
  Describe("    deviceNodes: [{path: /dev/pipe0, hostPath: /dev/none}]\n");
  EXPECT_THAT(Refusal(Using("true")), HasSubstr("/dev/none"));
}

}  // namespace
}  // namespace bulkhead::fixture
