#include "shim/cdi/devices.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bulkhead::cdi {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

class Devices : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/cdi.XXXXXX";
    folder_ = mkdtemp(name);
    std::filesystem::create_directory(Etc());
    std::filesystem::create_directory(Run());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string Etc() const { return folder_ + "/etc"; }
  std::string Run() const { return folder_ + "/run"; }

  static void Write(const std::string& path, const std::string& device, const std::string& edits,
                    const std::string& common = "{}") {
    std::ofstream(path) << R"({"cdiVersion": "0.8.0", "kind": "v.com/d", "containerEdits": )"
                        << common << R"(, "devices": [{"name": ")" << device
                        << R"(", "containerEdits": )" << edits << "}]}";
  }

  absl::StatusOr<spec::ContainerSpec> Add(spec::ContainerSpec spec) {
    return AddDevices({Etc(), Run()}, std::move(spec));
  }
  std::string Fault(absl::StatusCode code, const std::string& name = "v.com/d=a") {
    const auto added = Add({.cdi_devices = {name}});
    EXPECT_EQ(added.status().code(), code) << added.status();
    return std::string(added.status().message());
  }

  std::string folder_;
};

TEST_F(Devices, NoneChangeNothingAndReadNothing) {
  const spec::ContainerSpec spec{.working_dir = "/a"};
  const auto added = AddDevices({"/dev/null/none"}, spec);
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_EQ(*added, spec);
}

TEST_F(Devices, AddWhatTheirFileSaysOnceAndWhatTheySayEach) {
  Write(Etc() + "/a.json", "a", R"({"env": ["A=1"], "additionalGids": [7]})",
        R"({"env": ["BOTH=x"], "mounts": [{"hostPath": "/tmp", "containerPath": "/m"}]})");
  std::ofstream(Etc() + "/notes.txt") << "no file of a device";
  const auto added = Add({.env = {{"BOTH", "mine"}, {"KEPT", "k"}},
                          .cdi_devices = {"v.com/d=a"},
                          .security = {.supplemental_groups = {7}}});
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_THAT(added->env, ElementsAre(Pair("KEPT", "k"), Pair("BOTH", "x"), Pair("A", "1")));
  ASSERT_EQ(added->mounts.size(), 1u);
  EXPECT_EQ(added->mounts[0].container_path, "/m");
  EXPECT_THAT(added->security.supplemental_groups, ElementsAre(7));
}

TEST_F(Devices, ReplaceWhatIsAtTheSamePath) {
  Write(Etc() + "/a.json", "a", R"({"deviceNodes": [{"path": "/dev/x", "hostPath": "/dev/null"}],
        "mounts": [{"hostPath": "/tmp", "containerPath": "/m", "options": ["ro"]}]})");
  const auto added = Add({.mounts = {{.container_path = "/m", .host_path = "/var"}},
                          .devices = {{.container_path = "/dev/x", .host_path = "/dev/zero"}},
                          .cdi_devices = {"v.com/d=a"}});
  ASSERT_TRUE(added.ok()) << added.status();
  ASSERT_EQ(added->mounts.size(), 1u);
  EXPECT_TRUE(added->mounts[0].readonly);
  ASSERT_EQ(added->devices.size(), 1u);
  EXPECT_EQ(added->devices[0].host_path, "/dev/null");
}

TEST_F(Devices, BelongToTheContainersUserUnlessTheirFileSaysWhose) {
  Write(Etc() + "/a.json", "a",
        R"({"deviceNodes": [{"path": "/dev/x"}, {"path": "/dev/y", "uid": 0, "gid": 0}]})");
  const auto added =
      Add({.cdi_devices = {"v.com/d=a"}, .security = {.run_as_user = 1000, .run_as_group = 1001}});
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_EQ(added->devices[0].uid, 1000);
  EXPECT_EQ(added->devices[0].gid, 1001);
  EXPECT_EQ(added->devices[1].uid, 0);
  EXPECT_EQ(added->devices[1].gid, 0);
}

TEST_F(Devices, OfALaterDirectoryTakePrecedence) {
  Write(Etc() + "/a.json", "a", R"({"env": ["WHERE=etc"]})");
  Write(Run() + "/a.yaml", "a", R"({"env": ["WHERE=run"]})");
  const auto added = Add({.cdi_devices = {"v.com/d=a"}});
  ASSERT_TRUE(added.ok()) << added.status();
  EXPECT_THAT(added->env, ElementsAre(Pair("WHERE", "run")));
}

TEST_F(Devices, InTwoFilesOfADirectoryAreRefusedWithBoth) {
  Write(Etc() + "/a.json", "a", "{}");
  Write(Etc() + "/b.json", "a", "{}");
  EXPECT_EQ(Fault(absl::StatusCode::kFailedPrecondition),
            absl::StrCat("CDI_devices[0].name \"v.com/d=a\": is in ", Etc(), "/a.json and in ",
                         Etc(), "/b.json"));
}

TEST_F(Devices, ThatAreInNoFileAreNotFoundAndUnreadableFilesAreTold) {
  Write(Etc() + "/a.json", "other", "{}");
  std::ofstream(Run() + "/b.yaml") << "kind: v.com/d";
  EXPECT_EQ(Fault(absl::StatusCode::kNotFound),
            absl::StrCat("CDI_devices[0].name \"v.com/d=a\": is in no file of ", Etc(), ", ", Run(),
                         "; ", Run(), "/b.yaml: cdiVersion: is missing"));
}

TEST_F(Devices, ThatNeedWhatIsNotBuiltAreRefused) {
  Write(Etc() + "/a.json", "a", R"({"hooks": [{"hookName": "poststop", "path": "/h"}]})");
  EXPECT_THAT(Fault(absl::StatusCode::kUnimplemented),
              HasSubstr("/a.json: needs hooks of the kind poststop, which"));
}

TEST_F(Devices, WhoseMountHasNoSourceAreRefusedAndNoneIsMade) {
  const std::string gone = folder_ + "/gone";
  Write(Etc() + "/a.json", "a",
        R"({"mounts": [{"hostPath": ")" + gone + R"(", "containerPath": "/m"}]})");
  EXPECT_THAT(Fault(absl::StatusCode::kFailedPrecondition), HasSubstr("mounts \"" + gone + "\""));
  EXPECT_FALSE(std::filesystem::exists(gone));
}

}  // namespace
}  // namespace bulkhead::cdi
