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
    // What stays mounted must not be removed.
    if (umount2((root_ / "tree/a/b").c_str(), MNT_DETACH) != 0 && errno != EINVAL) return;
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

TEST_F(RelabelTest, SparesTheHostsFilesWhereverTheyAreMet) {
  const HostFiles spared({root_ / "tree/a/b"});
  const UniqueFd fd(open((root_ / "tree").c_str(), O_PATH | O_CLOEXEC));
  const absl::Status status = RelabelTree(fd.get(), kLabel, {.spared = &spared});
  EXPECT_THAT(std::string(status.message()), HasSubstr("b: it is the host's own"));
  EXPECT_NE(LabelOf(root_ / "tree/a/b/fifo"), kLabel);
  EXPECT_NE(LabelOf(root_ / "tree"), kLabel);
}

TEST_F(RelabelTest, GoesAsDeepAsItMay) {
  fs::path deep = root_ / "tree";
  for (int i = 0; i < 300; ++i) deep /= "d";
  fs::create_directories(deep);
  const UniqueFd fd(open((root_ / "tree").c_str(), O_PATH | O_CLOEXEC));
  EXPECT_THAT(std::string(RelabelTree(fd.get(), kLabel, {.max_depth = 256}).message()),
              HasSubstr("256 deep"));
  EXPECT_NE(LabelOf(root_ / "tree"), kLabel);
  EXPECT_TRUE(RelabelTree(fd.get(), kLabel).ok());
  EXPECT_EQ(LabelOf(deep), kLabel);
}

TEST_F(RelabelTest, EndsOnceItIsStopped) {
  const UniqueFd fd(open((root_ / "tree").c_str(), O_PATH | O_CLOEXEC));
  int files = 0;
  const auto stopped = [&files] { return ++files == 3; };
  EXPECT_TRUE(absl::IsCancelled(RelabelTree(fd.get(), kLabel, {.stopped = stopped})));
  EXPECT_EQ(files, 3);
  EXPECT_NE(LabelOf(root_ / "tree"), kLabel);
}

TEST_F(RelabelTest, AVolumeIsRelabelledOnlyOnRequest) {
  spec::Mount mount{.container_path = "/data", .host_path = root_ / "tree"};
  ASSERT_TRUE(OpenVolume(mount, {.label = kLabel}).ok());
  EXPECT_NE(LabelOf(root_ / "tree"), kLabel);
  mount.selinux_relabel = true;
  ASSERT_TRUE(OpenVolume(mount).ok());
  EXPECT_NE(LabelOf(root_ / "tree"), kLabel);
  ASSERT_TRUE(OpenVolume(mount, {.label = kLabel}).ok());
  EXPECT_EQ(LabelOf(root_ / "tree/a"), kLabel);
}

TEST_F(RelabelTest, AVolumeOfTheHostsFilesIsRefusedByWhateverPath) {
  fs::create_symlink("/usr", root_ / "link");
  // As a local volume of the cluster's may be.
  const fs::path bound = root_ / "tree/a/b";
  ASSERT_EQ(mount("/etc", bound.c_str(), nullptr, MS_BIND, nullptr), 0);
  ASSERT_EQ(mount(nullptr, bound.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr), 0);
  for (const fs::path& path : {fs::path("/bin"), fs::path("/usr/lib"), root_ / "link", bound,
                               bound / "ssl", bound / "passwd", root_ / "beside"}) {
    const spec::Mount volume{.container_path = "/data", .host_path = path, .selinux_relabel = true};
    const absl::Status status =
        OpenVolume(volume, {.label = kLabel, .spared = {root_ / "beside"}}).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << path << status;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("selinux_relabel"), HasSubstr(path.string())));
  }
  EXPECT_NE(LabelOf("/etc"), kLabel);
}

}  // namespace
}  // namespace bulkhead::isolation
