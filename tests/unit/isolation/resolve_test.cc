#include "runtime/isolation/resolve.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "runtime/kernel/fd.h"

namespace bulkhead::isolation {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kPasswd[] =
    "root:x:0:0:root:/root:/bin/sh\n"
    "broken line\n"
    ":x:7:7::/:\n"
    "high:x:4294967295:0::/:\n"
    "app:x:1000:1001:An app:/home/app:/bin/sh\n"
    "nohome:x:1002:1002:\n"
    "other:x:1003:1003:::\n";
constexpr char kGroup[] =
    "root:x:0:\nwheel:x:10:app,root\nmany:x:20:other,app\nstaff:x:50:\nbad:x:-1:app\n";

ResolvedUser Resolve(const UserRequest& request) {
  absl::StatusOr<ResolvedUser> user = ResolveUserFrom(kPasswd, kGroup, request);
  EXPECT_TRUE(user.ok()) << user.status();
  return user.ok() ? *user : ResolvedUser{};
}

std::string ErrorOf(const UserRequest& request) {
  const absl::Status status = ResolveUserFrom(kPasswd, kGroup, request).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  return std::string(status.message());
}

TEST(ResolveUser, IsTheSuperuserWhenNobodyAsks) {
  const ResolvedUser user = Resolve({});
  EXPECT_EQ(user.uid, 0u);
  EXPECT_EQ(user.home, "/root");
  EXPECT_THAT(user.groups, ElementsAre(0, 10));
}

TEST(ResolveUser, FindsTheImagesUserByNameWithItsGroups) {
  const ResolvedUser user = Resolve({.image_user = "app"});
  EXPECT_EQ(user.uid, 1000u);
  EXPECT_EQ(user.gid, 1001u);
  EXPECT_EQ(user.home, "/home/app");
  EXPECT_THAT(user.groups, ElementsAre(10, 20, 1001));
}

TEST(ResolveUser, TakesANumberThatHasNoEntry) {
  const ResolvedUser user = Resolve({.image_user = "4321"});
  EXPECT_EQ(user.uid, 4321u);
  EXPECT_EQ(user.gid, 0u);
  EXPECT_EQ(user.home, "/");
}

TEST(ResolveUser, AGroupAfterTheColonWins) {
  EXPECT_EQ(Resolve({.image_user = "app:staff"}).gid, 50u);
  EXPECT_EQ(Resolve({.image_user = "1000:77"}).gid, 77u);
}

TEST(ResolveUser, TheSecurityContextWinsOverTheImage) {
  EXPECT_EQ(Resolve({.image_user = "app:staff", .run_as_user = 1003}).gid, 1003u);
  EXPECT_EQ(Resolve({.image_user = "app", .run_as_username = "other"}).uid, 1003u);
  EXPECT_EQ(Resolve({.run_as_user = 1000, .run_as_group = 5}).gid, 5u);
}

TEST(ResolveUser, StrictPolicyTakesNoGroupsFromTheImage) {
  const ResolvedUser user = Resolve({.run_as_user = 1000,
                                     .supplemental_groups = {3000, 3000, 5},
                                     .policy = spec::SupplementalGroupsPolicy::kStrict});
  EXPECT_THAT(user.groups, ElementsAre(5, 1001, 3000));
}

TEST(ResolveUser, MergePolicyAddsThemToTheImages) {
  const ResolvedUser user = Resolve({.run_as_user = 1000, .supplemental_groups = {3000}});
  EXPECT_THAT(user.groups, ElementsAre(10, 20, 1001, 3000));
}

// CVE-2024-40635: an id too large became the superuser's.
TEST(ResolveUser, AnIdBeyondTheKernelsIsAnErrorThatNamesTheField) {
  EXPECT_THAT(ErrorOf({.image_user = "4294967295"}), HasSubstr("the image's user"));
  EXPECT_THAT(ErrorOf({.image_user = "4294967296"}), HasSubstr("the image's user"));
  EXPECT_THAT(ErrorOf({.image_user = "99999999999999999999999"}), HasSubstr("the image's user"));
  EXPECT_THAT(ErrorOf({.image_user = "0:4294967296"}), HasSubstr("4294967296"));
  EXPECT_THAT(ErrorOf({.run_as_user = -1}), HasSubstr("run_as_user: -1"));
  EXPECT_THAT(ErrorOf({.run_as_user = 0, .run_as_group = int64_t{1} << 32}),
              HasSubstr("run_as_group"));
  EXPECT_THAT(ErrorOf({.supplemental_groups = {1, -5}}), HasSubstr("supplemental_groups[1]"));
}

TEST(ResolveUser, ANameThatIsNotThereIsAnError) {
  EXPECT_THAT(ErrorOf({.image_user = "ghost"}), HasSubstr("\"ghost\""));
  EXPECT_THAT(ErrorOf({.image_user = "app:ghosts"}), HasSubstr("\"ghosts\""));
  EXPECT_THAT(ErrorOf({.image_user = "high"}), HasSubstr("\"high\""));
  EXPECT_THAT(ErrorOf({.image_user = "app:bad"}), HasSubstr("\"bad\""));
  EXPECT_THAT(ErrorOf({.image_user = "nohome"}), HasSubstr("\"nohome\""));
}

TEST(ResolveUser, AGroupWithoutAUserIsAnError) {
  EXPECT_THAT(ErrorOf({.image_user = "app", .run_as_group = 5}), HasSubstr("run_as_group"));
}

TEST(ResolveUser, AnEmptyHomeIsTheRoot) { EXPECT_EQ(Resolve({.image_user = "other"}).home, "/"); }

class HostileRoot : public testing::Test {
 protected:
  HostileRoot() {
    std::string name = (std::filesystem::temp_directory_path() / "bulkhead-root-XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    path_ = name;
    std::filesystem::create_directories(path_ + "/etc");
    root_.reset(open(path_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  ~HostileRoot() override { std::filesystem::remove_all(path_); }

  absl::StatusOr<ResolvedUser> Resolve(const std::string& user) {
    return ResolveUser(root_.get(), {.image_user = user});
  }

  std::string path_;
  UniqueFd root_;
};

TEST_F(HostileRoot, WithoutFilesHasNumbersOnly) {
  EXPECT_EQ(Resolve("12")->uid, 12u);
  EXPECT_TRUE(absl::IsInvalidArgument(Resolve("root").status()));
}

TEST_F(HostileRoot, ALinkStaysInTheRoot) {
  std::filesystem::create_symlink("../../../../../../../../etc/shadowed", path_ + "/etc/passwd");
  std::ofstream(path_ + "/etc/shadowed") << "inside:x:55:55::/:\n";
  EXPECT_EQ(Resolve("inside")->uid, 55u);
}

TEST_F(HostileRoot, AFifoDoesNotBlock) {
  ASSERT_EQ(mkfifo((path_ + "/etc/passwd").c_str(), 0600), 0);
  EXPECT_THAT(std::string(Resolve("app").status().message()), HasSubstr("no regular file"));
}

TEST_F(HostileRoot, ADirectoryIsRefused) {
  std::filesystem::create_directories(path_ + "/etc/group");
  EXPECT_THAT(std::string(Resolve("0").status().message()), HasSubstr("no regular file"));
}

TEST_F(HostileRoot, AFileWithoutEndIsNotReadToIt) {
  std::ofstream(path_ + "/etc/passwd");
  std::filesystem::resize_file(path_ + "/etc/passwd", uint64_t{1} << 40);
  EXPECT_TRUE(absl::IsResourceExhausted(Resolve("app").status()));
}

TEST_F(HostileRoot, ALoopOfLinksIsAnError) {
  std::filesystem::create_symlink("passwd", path_ + "/etc/passwd");
  EXPECT_FALSE(Resolve("0").ok());
}

}  // namespace
}  // namespace bulkhead::isolation
