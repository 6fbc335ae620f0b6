#include "runtime/isolation/host_files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "runtime/kernel/fd.h"

namespace bulkhead::isolation {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class HostFilesTest : public ::testing::Test {
 protected:
  HostFilesTest() {
    std::string name = "/var/tmp/bulkhead-host-files-XXXXXX";
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    root_ = name;
    fs::create_directories(root_ / "own/pods/a");
    fs::create_directories(root_ / "volume");
    std::ofstream(root_ / "volume/file");
  }
  ~HostFilesTest() override { fs::remove_all(root_); }

  absl::Status Check(const fs::path& path) {
    const UniqueFd fd(open(path.c_str(), O_PATH | O_CLOEXEC));
    EXPECT_TRUE(fd.valid()) << path;
    return HostFiles({root_ / "own", root_ / "missing"}).CheckNotOf(fd.get());
  }

  fs::path root_;
};

TEST_F(HostFilesTest, AreTheDirectoriesThatAHostLivesOn) {
  for (const char* path : {"/", "/bin", "/etc", "/dev", "/proc", "/usr", "/var", "/var/lib",
                           "/var/run", "/tmp", "/root"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Check(path))) << path;
  }
  EXPECT_THAT(std::string(Check("/etc").message()), HasSubstr("/etc is the host's own"));
}

TEST_F(HostFilesTest, AreAllBelowThoseOfTheSystem) {
  for (const char* path : {"/usr/bin", "/usr/lib", "/bin/sh", "/etc/passwd", "/proc/self",
                           "/sys/kernel", "/dev/null"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Check(path))) << path;
  }
  EXPECT_THAT(std::string(Check("/etc/passwd").message()),
              HasSubstr("/etc/passwd lies in /etc, which is the host's own"));
}

TEST_F(HostFilesTest, AreKnownThroughLinks) {
  fs::create_symlink("/usr", root_ / "link");
  EXPECT_TRUE(absl::IsInvalidArgument(Check(root_ / "link/")));
  EXPECT_TRUE(absl::IsInvalidArgument(Check(root_ / "link/bin")));
}

TEST_F(HostFilesTest, AreTheDaemonsOwnToo) {
  EXPECT_TRUE(absl::IsInvalidArgument(Check(root_ / "own")));
  EXPECT_TRUE(absl::IsInvalidArgument(Check(root_ / "own/pods/a")));
}

TEST_F(HostFilesTest, AreNotWhatLiesInTheOtherDirectories) {
  EXPECT_TRUE(Check(root_ / "volume").ok());
  EXPECT_TRUE(Check(root_ / "volume/file").ok());
}

TEST_F(HostFilesTest, AreNotToldOfWhatIsGone) {
  const UniqueFd fd(open((root_ / "volume/file").c_str(), O_PATH | O_CLOEXEC));
  fs::remove_all(root_ / "volume");
  EXPECT_FALSE(HostFiles({}).CheckNotOf(fd.get()).ok());
}

}  // namespace
}  // namespace bulkhead::isolation
