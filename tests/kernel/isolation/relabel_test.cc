// Relabelling of trees. The attribute can be set without SELinux too; what it does there is
// nothing.
#include "runtime/isolation/relabel.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "runtime/isolation/selinux.h"
#include "runtime/isolation/volumes.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::isolation {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kLabel[] = "system_u:object_r:container_file_t:s0:c4,c5";
constexpr char kOther[] = "system_u:object_r:usr_t:s0";

std::string LabelOf(const fs::path& path) {
  std::array<char, 256> label;
  const ssize_t size = lgetxattr(path.c_str(), kSelinuxAttribute, label.data(), label.size());
  return size <= 0 ? "" : std::string(label.data());
}

void SetLabel(const fs::path& path, const std::string& label) {
  ASSERT_EQ(lsetxattr(path.c_str(), kSelinuxAttribute, label.c_str(), label.size() + 1, 0), 0);
}

class RelabelTest : public ::testing::Test {
 protected:
  RelabelTest() {
    std::string name = "/var/tmp/bulkhead-relabel-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
    fs::create_directories(root_ / "tree/a/b");
    fs::create_directory(root_ / "beside");
    std::ofstream(root_ / "tree/a/file");
    fs::create_symlink("../../beside", root_ / "tree/a/link");
    EXPECT_EQ(mkfifo((root_ / "tree/a/b/fifo").c_str(), 0600), 0);
    SetLabel(root_ / "beside", kOther);
  }
  ~RelabelTest() override {
    umount2((root_ / "tree/a/b").c_str(), MNT_DETACH);
    fs::remove_all(root_);
  }

  absl::Status Relabel(const fs::path& path) {
    const UniqueFd fd(open(path.c_str(), O_PATH | O_CLOEXEC));
    return RelabelTree(fd.get(), kLabel);
  }

  fs::path root_;
};

TEST_F(RelabelTest, LabelsATreeAndFollowsNoLink) {
  ASSERT_TRUE(Relabel(root_ / "tree").ok());
  for (const char* name :
       {"tree", "tree/a", "tree/a/b", "tree/a/file", "tree/a/link", "tree/a/b/fifo"}) {
    EXPECT_EQ(LabelOf(root_ / name), kLabel) << name;
  }
  EXPECT_EQ(LabelOf(root_ / "beside"), kOther);
  EXPECT_NE(LabelOf(root_), kLabel);
}

TEST_F(RelabelTest, LabelsAFileAlone) {
  ASSERT_TRUE(Relabel(root_ / "tree/a/file").ok());
  EXPECT_EQ(LabelOf(root_ / "tree/a/file"), kLabel);
  EXPECT_NE(LabelOf(root_ / "tree/a"), kLabel);
}

TEST_F(RelabelTest, LeavesWhatIsMountedBelow) {
  ASSERT_EQ(
      mount((root_ / "beside").c_str(), (root_ / "tree/a/b").c_str(), nullptr, MS_BIND, nullptr),
      0);
  ASSERT_TRUE(Relabel(root_ / "tree").ok());
  EXPECT_EQ(LabelOf(root_ / "beside"), kOther);
  EXPECT_EQ(LabelOf(root_ / "tree/a/file"), kLabel);
}

TEST_F(RelabelTest, LeavesAFileSystemWithoutLabels) {
  const UniqueFd proc(open("/proc/self/stat", O_PATH | O_CLOEXEC));
  EXPECT_TRUE(RelabelTree(proc.get(), kLabel).ok());
}

TEST_F(RelabelTest, RefusesDirectoriesOfTheHostAlsoByALink) {
  EXPECT_TRUE(absl::IsInvalidArgument(Relabel("/etc")));
  fs::create_symlink("/usr", root_ / "usr");
  EXPECT_THAT(std::string(Relabel(root_ / "usr/").message()), HasSubstr("/usr is the host's own"));
  for (const char* path : {"/", "/home", "/var/lib", "/root"}) EXPECT_TRUE(IsOfTheHost(path));
  for (const char* path : {"/var/lib/kubelet/pods/x", "/home/alice", "/data"}) {
    EXPECT_FALSE(IsOfTheHost(path)) << path;
  }
}

TEST_F(RelabelTest, RefusesATreeThatIsTooDeep) {
  fs::path deep = root_ / "tree";
  for (int i = 0; i < 300; ++i) deep /= "d";
  fs::create_directories(deep);
  EXPECT_THAT(std::string(Relabel(root_ / "tree").message()), HasSubstr("256 deep"));
  EXPECT_NE(LabelOf(root_ / "tree"), kLabel);
}

TEST_F(RelabelTest, AVolumeIsRelabelledOnlyOnRequest) {
  spec::Mount mount{.container_path = "/data", .host_path = root_ / "tree"};
  ASSERT_TRUE(OpenVolume(mount, kLabel).ok());
  EXPECT_NE(LabelOf(root_ / "tree"), kLabel);
  mount.selinux_relabel = true;
  ASSERT_TRUE(OpenVolume(mount, "").ok());
  EXPECT_NE(LabelOf(root_ / "tree"), kLabel);
  ASSERT_TRUE(OpenVolume(mount, kLabel).ok());
  EXPECT_EQ(LabelOf(root_ / "tree/a"), kLabel);
  mount.host_path = "/etc";
  EXPECT_THAT(std::string(OpenVolume(mount, kLabel).status().message()),
              AllOf(HasSubstr("selinux_relabel"), HasSubstr("\"/etc\"")));
}

}  // namespace
}  // namespace bulkhead::isolation
