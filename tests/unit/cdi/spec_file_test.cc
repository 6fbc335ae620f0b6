#include "shim/cdi/spec_file.h"

#include <sys/stat.h>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bulkhead::cdi {
namespace {

using testing::HasSubstr;

std::string FileWith(const std::string& edits) {
  return absl::StrCat(R"({"cdiVersion": "0.8.0", "kind": "vendor.com/gpu", "devices": [
      {"name": "0", "containerEdits": )",
                      edits, "}]}");
}

Edits EditsOf(const std::string& edits) {
  const auto file = ParseSpecFile(FileWith(edits));
  EXPECT_TRUE(file.ok()) << file.status();
  return file.ok() ? file->devices.at("0") : Edits();
}

std::string Fault(const std::string& text) {
  const auto file = ParseSpecFile(text);
  EXPECT_EQ(file.status().code(), absl::StatusCode::kInvalidArgument) << text;
  return std::string(file.status().message());
}

TEST(ParseSpecFile, ReadsYamlAsVendorsToolsWriteIt) {
  const auto file = ParseSpecFile(R"(---
cdiVersion: 0.5.0
kind: nvidia.com/gpu
containerEdits:
  env:
  - NVIDIA_VISIBLE_DEVICES=void
  deviceNodes:
  - path: /dev/nvidiactl
  mounts:
  - containerPath: /usr/lib/libcuda.so.1
    hostPath: /usr/lib/x86_64-linux-gnu/libcuda.so.1
    options: [ro, nosuid, nodev, bind]
devices:
- name: "0"
  containerEdits:
    deviceNodes:
    - {path: /dev/nvidia0, permissions: rw, fileMode: 0660}
- name: all
  containerEdits: {}
)");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(file->kind, "nvidia.com/gpu");
  const Edits common{.env = {{"NVIDIA_VISIBLE_DEVICES", "void"}},
                     .devices = {{.container_path = "/dev/nvidiactl",
                                  .host_path = "/dev/nvidiactl",
                                  .permissions = "rwm"}},
                     .mounts = {{.container_path = "/usr/lib/libcuda.so.1",
                                 .host_path = "/usr/lib/x86_64-linux-gnu/libcuda.so.1",
                                 .readonly = true,
                                 .nosuid = true,
                                 .nodev = true}}};
  EXPECT_EQ(file->edits, common);
  const Edits zero{.devices = {{.container_path = "/dev/nvidia0",
                                .host_path = "/dev/nvidia0",
                                .permissions = "rw",
                                .file_mode = 0660}}};
  EXPECT_EQ(file->devices.at("0"), zero);
  EXPECT_EQ(file->devices.at("all"), Edits());
}

TEST(ParseSpecFile, ReadsEveryKeyOfADeviceNode) {
  const Edits edits = EditsOf(R"({"deviceNodes": [{"path": "/dev/a", "hostPath": "/dev/b",
      "type": "b", "major": 8, "minor": 1, "fileMode": 384, "permissions": "r", "uid": 0,
      "gid": 44}], "additionalGids": [0, 44]})");
  const spec::Device expected{.container_path = "/dev/a",
                              .host_path = "/dev/b",
                              .permissions = "r",
                              .type = S_IFBLK,
                              .major = 8,
                              .minor = 1,
                              .file_mode = 0600,
                              .uid = 0,
                              .gid = 44};
  EXPECT_THAT(edits.devices, testing::ElementsAre(expected));
  EXPECT_THAT(edits.groups, testing::ElementsAre(44));
}

TEST(ParseSpecFile, ReadsTheOptionsOfMounts) {
  const auto mount = [](const char* option) {
    return EditsOf(absl::StrCat(
                       R"({"mounts": [{"hostPath": "/a", "containerPath": "/b", "type": "bind", )",
                       R"("options": [")", option, "\"]}]}"))
        .mounts.at(0);
  };
  EXPECT_TRUE(mount("noexec").noexec);
  EXPECT_EQ(mount("rslave").propagation, spec::MountPropagation::kHostToContainer);
  EXPECT_EQ(mount("shared").propagation, spec::MountPropagation::kBidirectional);
  EXPECT_EQ(mount("rprivate").propagation, spec::MountPropagation::kPrivate);
}

TEST(ParseSpecFile, NotesWhatIsAskedAndNotBuilt) {
  EXPECT_THAT(EditsOf(R"({"hooks": [{"hookName": "createContainer", "path": "/h"},
                                    {"hookName": "poststop", "path": "/h"}],
                          "intelRdt": {"closID": "a"}, "netDevices": []})")
                  .not_built,
              testing::ElementsAre("hooks of the kind poststop", "intelRdt"));
}

TEST(ParseSpecFile, ReadsEveryKeyOfAHook) {
  const Edits edits = EditsOf(R"({"hooks": [{"hookName": "createContainer", "path": "/h",
      "args": ["h", "-a"], "env": ["A=b=c"], "timeout": 7}, {"hookName": "createContainer",
      "path": "/i"}]})");
  EXPECT_THAT(edits.hooks,
              testing::ElementsAre(
                  spec::Hook{.path = "/h", .args = {"h", "-a"}, .env = {"A=b=c"}, .timeout = 7},
                  spec::Hook{.path = "/i"}));
}

TEST(ParseSpecFile, RefusesWithPlaceAndValue) {
  const std::string node = "devices[0].containerEdits.deviceNodes[0]";
  const auto fault = [](const std::string& edits) { return Fault(FileWith(edits)); };
  EXPECT_EQ(fault(R"({"deviceNodes": [{"path": "dev/a"}]})"),
            node + ".path: \"dev/a\" is not absolute");
  EXPECT_EQ(fault(R"({"deviceNodes": [{}]})"), node + ".path: is missing");
  EXPECT_THAT(fault(R"({"deviceNodes": [{"path": "/a", "permissions": "rx"}]})"),
              HasSubstr(node + ".permissions: \"rx\""));
  EXPECT_THAT(fault(R"({"deviceNodes": [{"path": "/a", "type": "p"}]})"),
              HasSubstr(node + ".type: \"p\""));
  EXPECT_THAT(fault(R"({"deviceNodes": [{"path": "/a", "major": 1}]})"),
              HasSubstr("needs type, major and minor"));
  EXPECT_THAT(fault(R"({"deviceNodes": [{"path": "/a", "uid": 4294967295}]})"),
              HasSubstr(node + ".uid: 4294967295"));
  EXPECT_THAT(fault(R"({"deviceNodes": [{"path": "/a", "fileMode": 2541}]})"),
              HasSubstr(node + ".fileMode: 2541"));
  EXPECT_THAT(fault(R"({"mounts": [{"hostPath": "/a", "containerPath": "/b",
                        "options": ["remount"]}]})"),
              HasSubstr("mounts[0].options[0]: \"remount\""));
  EXPECT_THAT(fault(R"({"mounts": [{"hostPath": "/a", "containerPath": "/b", "type": "tmpfs"}]})"),
              HasSubstr("mounts[0].type: \"tmpfs\""));
  EXPECT_THAT(fault(R"({"env": ["SECRET"]})"), HasSubstr("env[0]: is not of the form"));
  EXPECT_THAT(fault(R"({"additionalGids": [-1]})"), HasSubstr("additionalGids[0]: -1"));
  EXPECT_THAT(fault(R"({"hooks": [{"path": "/h"}]})"), HasSubstr("hooks[0].hookName: is missing"));
  EXPECT_THAT(fault(R"({"hooks": [{"hookName": "begin", "path": "/h"}]})"),
              HasSubstr("hooks[0].hookName: \"begin\" is not the name of a hook"));
  EXPECT_THAT(fault(R"({"hooks": [{"hookName": "createContainer", "path": "h"}]})"),
              HasSubstr("hooks[0].path: \"h\" is not absolute"));
  EXPECT_THAT(fault(R"({"hooks": [{"hookName": "createContainer", "path": "/h", "timeout": 0}]})"),
              HasSubstr("hooks[0].timeout: 0 seconds"));
  EXPECT_THAT(fault(R"({"hooks": [{"hookName": "createContainer", "path": "/h", "env": ["A"]}]})"),
              HasSubstr("hooks[0].env[0]: is not of the form"));
  EXPECT_THAT(fault(R"({"seccomp": {}})"), HasSubstr("seccomp: is not a key"));
  EXPECT_THAT(fault("[]"), HasSubstr("containerEdits: [] is not an object"));
}

TEST(ParseSpecFile, RefusesFilesOfAnotherForm) {
  EXPECT_THAT(Fault(R"({"cdiVersion": "2.0.0", "kind": "a/b", "devices": []})"),
              HasSubstr("cdiVersion: \"2.0.0\""));
  EXPECT_EQ(Fault(R"({"kind": "a/b"})"), "cdiVersion: is missing");
  EXPECT_THAT(Fault(R"({"cdiVersion": "0.8.0", "kind": "gpu"})"), HasSubstr("kind: \"gpu\""));
  EXPECT_EQ(Fault(R"({"cdiVersion": "0.8.0", "kind": "a/b"})"), "devices: has none");
  EXPECT_THAT(Fault(R"({"cdiVersion": "0.8.0", "kind": "a/b", "kind": "c/d"})"),
              HasSubstr("the key \"kind\" twice"));
  EXPECT_THAT(Fault(R"({"cdiVersion": "0.8.0", "kind": "a/b", "devices": [
                        {"name": "x", "containerEdits": {}}, {"name": "x", "containerEdits": {}}]})"),
              HasSubstr("devices[1].name: \"x\" is there twice"));
  EXPECT_THAT(Fault("a: [unclosed"), HasSubstr("is not YAML"));
  EXPECT_THAT(Fault("just text"), HasSubstr("is not an object"));
  EXPECT_THAT(Fault(""), HasSubstr("is not an object"));
}

TEST(ParseSpecFile, TakesForTextWhatOnlyBeginsLikeANumber) {
  for (const char* mode :
       {"0o", "0o9", "0x1f", "-", "99999999999999999999999", "0777777777777777777777777777777"}) {
    EXPECT_THAT(
        Fault(absl::StrCat("{cdiVersion: 0.8.0, kind: a/b, devices: [{name: x, ",
                           "containerEdits: {deviceNodes: [{path: /a, fileMode: ", mode, "}]}}]}")),
        HasSubstr("fileMode: "))
        << mode;
  }
}

TEST(ParseSpecFile, RefusesAliasesThatMultiply) {
  std::string text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    absl::StrAppend(&text, "a", i, ": &a", i, " [");
    for (int j = 0; j < 10; ++j) absl::StrAppend(&text, j > 0 ? ", " : "", "*a", i - 1);
    absl::StrAppend(&text, "]\n");
  }
  EXPECT_THAT(Fault(text), HasSubstr("larger than"));
}

}  // namespace
}  // namespace bulkhead::cdi
