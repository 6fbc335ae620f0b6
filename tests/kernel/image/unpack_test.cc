#include "shim/image/unpack.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/kernel/image/scratch.h"
#include "tests/kernel/image/tar_builder.h"

namespace bulkhead::image {
namespace {

using ::testing::HasSubstr;

std::string Read(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

struct stat Stat(const std::string& path) {
  struct stat st = {};
  EXPECT_EQ(lstat(path.c_str(), &st), 0) << path;
  return st;
}

std::string Xattr(const std::string& path, const std::string& name) {
  std::array<char, 256> value;
  const ssize_t size = lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
  return size < 0 ? "(none)" : std::string(value.data(), static_cast<size_t>(size));
}

class Unpack : public testing::Test {
 protected:
  // The layer's root is two levels down, so that what climbs out of it lands in the scratch
  // directory and can be seen there.
  void SetUp() override {
    std::filesystem::create_directories(scratch_ / "outside/root");
    std::ofstream(scratch_ / "outside/victim") << "untouched";
  }

  absl::StatusOr<Unpacked> Run(const std::string& bytes,
                               UnpackLimits limits = {.max_bytes = 64 << 20,
                                                      .max_entries = 10'000}) {
    UniqueFd root(open(Root().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return UnpackLayer([&](const ByteSink& sink) { return sink(bytes); }, std::move(root), limits);
  }

  absl::StatusOr<Unpacked> Run(const TarBuilder& tar) { return Run(tar.Finish()); }

  std::string Root() const { return scratch_ / "outside/root"; }
  std::string operator/(const std::string& name) const { return Root() + "/" + name; }

  bool IsWhiteout(const std::string& name) const {
    const struct stat st = Stat(*this / name);
    return S_ISCHR(st.st_mode) && st.st_rdev == 0;
  }
  bool IsOpaque(const std::string& name) const {
    return Xattr(*this / name, "trusted.overlay.opaque") == "y";
  }

  // Refused, and nothing outside of the layer was made, changed or removed.
  void ExpectRefused(const std::string& bytes, const std::string& why,
                     absl::StatusCode code = absl::StatusCode::kInvalidArgument,
                     UnpackLimits limits = {.max_bytes = 64 << 20, .max_entries = 10'000}) {
    const auto result = Run(bytes, limits);
    EXPECT_EQ(result.status().code(), code) << result.status();
    EXPECT_THAT(std::string(result.status().message()), HasSubstr(why));
    EXPECT_EQ(Read(scratch_ / "outside/victim"), "untouched");
    EXPECT_EQ(Stat(scratch_ / "outside/victim").st_nlink, 1u);
    EXPECT_EQ(EntriesOf(scratch_.path()), "outside ");
    EXPECT_EQ(EntriesOf(scratch_ / "outside"), "root victim ");
    EXPECT_EQ(Xattr(scratch_ / "outside", "trusted.overlay.opaque"), "(none)");
  }

  static std::string EntriesOf(const std::string& directory) {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      names.insert(entry.path().filename());
    }
    std::string all;
    for (const std::string& name : names) absl::StrAppend(&all, name, " ");
    return all;
  }

  Scratch scratch_;
};

TEST_F(Unpack, KeepsContentOwnersModesAndTimes) {
  ASSERT_TRUE(Run(TarBuilder()
                      .Add({.name = "bin/", .type = '5', .mode = 0711, .mtime = 1'000'000'000})
                      .Add({.name = "bin/su",
                            .content = "elf",
                            .mode = 06755,
                            .uid = 12,
                            .gid = 34,
                            .mtime = 1'111'111'111})
                      .Add({.name = "tmp", .type = '5', .mode = 01777}))
                  .ok());
  const struct stat su = Stat(*this / "bin/su");
  EXPECT_EQ(su.st_mode, S_IFREG | 06755u);
  EXPECT_EQ(su.st_uid, 12u);
  EXPECT_EQ(su.st_gid, 34u);
  EXPECT_EQ(su.st_mtime, 1'111'111'111);
  EXPECT_EQ(Read(*this / "bin/su"), "elf");
  EXPECT_EQ(Stat(*this / "bin").st_mode, S_IFDIR | 0711u);
  EXPECT_EQ(Stat(*this / "bin").st_mtime, 1'000'000'000);  // although su came later
  EXPECT_EQ(Stat(*this / "tmp").st_mode, S_IFDIR | 01777u);
}

TEST_F(Unpack, MakesDevicesAndPipes) {
  ASSERT_TRUE(Run(TarBuilder()
                      .Add({.name = "null", .type = '3', .mode = 0666, .major = 1, .minor = 3})
                      .Add({.name = "disk", .type = '4', .mode = 0660, .gid = 6, .major = 8})
                      .Add({.name = "pipe", .type = '6', .mode = 0600, .uid = 7}))
                  .ok());
  const struct stat null = Stat(*this / "null");
  EXPECT_EQ(null.st_mode, S_IFCHR | 0666u);
  EXPECT_EQ(null.st_rdev, makedev(1, 3));
  EXPECT_EQ(Stat(*this / "disk").st_mode, S_IFBLK | 0660u);
  EXPECT_EQ(Stat(*this / "disk").st_gid, 6u);
  EXPECT_EQ(Stat(*this / "pipe").st_mode, S_IFIFO | 0600u);
  EXPECT_EQ(Stat(*this / "pipe").st_uid, 7u);
}

TEST_F(Unpack, SetsFileCapabilitiesAndUserAttributesAndNoneOfTheHosts) {
  // VFS_CAP_REVISION_2 with CAP_NET_RAW permitted and effective.
  const std::string capability(
      "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
      "\x00\x00\x00\x00",
      20);
  const auto result =
      Run(TarBuilder().Add({.name = "ping",
                            .uid = 5,
                            .pax = {{"SCHILY.xattr.security.capability", capability},
                                    {"SCHILY.xattr.user.note", "kept"},
                                    {"SCHILY.xattr.trusted.overlay.opaque", "y"},
                                    {"SCHILY.xattr.trusted.overlay.redirect", "/"},
                                    {"SCHILY.xattr.trusted.other", "1"},
                                    {"SCHILY.xattr.user.overlay.opaque", "y"}}}));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(Xattr(*this / "ping", "security.capability"), capability);
  EXPECT_EQ(Xattr(*this / "ping", "user.note"), "kept");
  for (const char* name : {"trusted.overlay.opaque", "trusted.overlay.redirect", "trusted.other",
                           "user.overlay.opaque"}) {
    EXPECT_EQ(Xattr(*this / "ping", name), "(none)") << name;
  }
}

TEST_F(Unpack, LinksFilesAndSymbolicLinks) {
  const auto result = Run(TarBuilder()
                              .File("a", "x")
                              .HardLink("dir/b", "./a")
                              .Symlink("out", "/etc/passwd")
                              .HardLink("out2", "out"));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(Stat(*this / "a").st_ino, Stat(*this / "dir/b").st_ino);
  EXPECT_TRUE(S_ISLNK(Stat(*this / "out2").st_mode));
  EXPECT_EQ(std::filesystem::read_symlink(*this / "out2"), "/etc/passwd");
  EXPECT_EQ(result->use.inodes, 3u);  // a, dir, out
}

TEST_F(Unpack, GivesMissingParentsToRoot) {
  const mode_t old = umask(077);
  ASSERT_TRUE(Run(TarBuilder().Add({.name = "a/b/c", .uid = 9})).ok());
  umask(old);
  for (const char* name : {"a", "a/b"}) {
    EXPECT_EQ(Stat(*this / name).st_mode, S_IFDIR | 0755u) << name;
    EXPECT_EQ(Stat(*this / name).st_uid, 0u) << name;
  }
}

TEST_F(Unpack, TurnsWhiteoutsIntoThoseOfOverlayfs) {
  ASSERT_TRUE(
      Run(TarBuilder().File("etc/.wh.gone").Dir("var").File("var/.wh..wh..opq").File("var/x"))
          .ok());
  EXPECT_TRUE(IsWhiteout("etc/gone"));
  EXPECT_TRUE(IsOpaque("var"));
  EXPECT_FALSE(IsOpaque("etc"));
  EXPECT_FALSE(std::filesystem::exists(*this / "etc/.wh.gone"));
}

TEST_F(Unpack, MakesADirectoryThatReplacesOneOfALowerLayerOpaqueInAnyOrder) {
  ASSERT_TRUE(Run(TarBuilder()
                      .File(".wh.before")
                      .Dir("before")
                      .Dir("after")
                      .File(".wh.after")
                      .File(".wh.implied")
                      .File("implied/file"))
                  .ok());
  EXPECT_TRUE(IsOpaque("before"));
  EXPECT_TRUE(IsOpaque("after"));
  EXPECT_TRUE(IsOpaque("implied"));
}

TEST_F(Unpack, AWhiteoutLeavesWhatTheSameLayerHas) {
  ASSERT_TRUE(Run(TarBuilder().File("a", "new").File(".wh.a").File(".wh.b").File("b", "new")).ok());
  EXPECT_EQ(Read(*this / "a"), "new");
  EXPECT_EQ(Read(*this / "b"), "new");
}

TEST_F(Unpack, ReplacesEarlierEntriesOfAnotherType) {
  const auto result = Run(TarBuilder()
                              .File("1", "file")
                              .Dir("1")
                              .File("1/in")
                              .Dir("2")
                              .File("2/deep/down")
                              .File("2", "file")
                              .Symlink("3", "..")
                              .Dir("3")
                              .File("3/in")
                              .File("4", "old and long")
                              .File("4", "new")
                              .Dir("5/sub")
                              .Symlink("5", "1"));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(std::filesystem::exists(*this / "1/in"));
  EXPECT_EQ(Read(*this / "2"), "file");
  EXPECT_TRUE(std::filesystem::exists(*this / "3/in"));
  EXPECT_EQ(Read(*this / "4"), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(*this / "5"));
}

TEST_F(Unpack, FollowsLinksThatStayInTheLayer) {
  ASSERT_TRUE(Run(TarBuilder().Dir("usr/lib").Symlink("lib", "usr/lib").File("lib/x", "1")).ok());
  EXPECT_EQ(Read(*this / "usr/lib/x"), "1");
}

TEST_F(Unpack, TakesNamesOfAnyBytes) {
  const auto result = Run(TarBuilder()
                              .File("latin-\xe9")
                              .Add({.name = "short", .pax = {{"path", "d\xc3\xa9j\xc3\xa0 vu"}}})
                              .Add({.name = "long", .pax = {{"path", std::string(200, 'n')}}}));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(std::filesystem::exists(*this / "latin-\xe9"));
  EXPECT_TRUE(std::filesystem::exists(*this / "d\xc3\xa9j\xc3\xa0 vu"));
  EXPECT_TRUE(std::filesystem::exists(*this / std::string(200, 'n')));
}

TEST_F(Unpack, SetsTheRootsOwnMetadata) {
  ASSERT_TRUE(Run(TarBuilder().Add({.name = "./", .type = '5', .mode = 0700, .uid = 3})).ok());
  EXPECT_EQ(Stat(Root()).st_mode, S_IFDIR | 0700u);
  EXPECT_EQ(Stat(Root()).st_uid, 3u);
}

TEST_F(Unpack, TakesAnArchiveOfNothing) {
  EXPECT_TRUE(Run(TarBuilder().Finish()).ok());
  EXPECT_TRUE(Run(std::string()).ok());
}

TEST_F(Unpack, TakesGzipZstdAndPlainArchivesAndTellsTheSameDiffId) {
  const std::string tar = TarBuilder().File("f", std::string(3 << 20, 'x')).Finish();
  for (const Compression compression :
       {Compression::kNone, Compression::kGzip, Compression::kZstd}) {
    const auto result = Run(Compress(tar, compression));
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->diff_id, Digest::Of(tar));
  }
}

TEST_F(Unpack, RemovesDeepTreesThatLaterEntriesReplace) {
  TarBuilder tar;
  std::string path = "deep";
  for (int i = 0; i < 900; ++i) path += "/d";
  // A link in the middle makes a path longer than PATH_MAX allows for one name.
  tar.Add({.name = "x", .type = '5', .pax = {{"path", path}}});
  tar.Add({.name = "x", .type = '2', .link = "l", .pax = {{"path", "link"}, {"linkpath", path}}});
  std::string deeper = "link";
  for (int i = 0; i < 900; ++i) deeper += "/e";
  tar.Add({.name = "x", .type = '5', .pax = {{"path", deeper}}});
  tar.File("deep", "now a file");
  const auto result = Run(tar);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(Read(*this / "deep"), "now a file");
}

TEST_F(Unpack, RefusesNamesThatClimb) {
  ExpectRefused(TarBuilder().File("../escape").Finish(), "\"..\"");
  ExpectRefused(TarBuilder().File("a/../../escape").Finish(), "\"..\"");
  ExpectRefused(TarBuilder().Dir("..").Finish(), "\"..\"");
}

TEST_F(Unpack, RefusesAbsoluteNames) {
  ExpectRefused(TarBuilder().File(scratch_ / "outside/escape").Finish(), "absolute");
}

TEST_F(Unpack, RefusesToWriteThroughALinkOutOfTheLayer) {
  const std::string outside = scratch_ / "outside";
  ExpectRefused(TarBuilder().Symlink("l", "..").File("l/escape").Finish(), "leads out");
  ExpectRefused(TarBuilder().Symlink("l1", "..").Symlink("l2", "l1").File("l2/victim").Finish(),
                "leads out");
  ExpectRefused(TarBuilder().Symlink("m", outside).File("m/victim").Finish(), "leads out");
  ExpectRefused(TarBuilder().Symlink("n", outside).Dir("n/new/deep").Finish(), "leads out");
  ExpectRefused(TarBuilder().Symlink("p", "/proc/self/cwd").File("p/escape").Finish(), "leads out");
}

TEST_F(Unpack, ReplacesALinkInsteadOfWritingToItsTarget) {
  ASSERT_TRUE(Run(TarBuilder().Symlink("l", "../victim").File("l", "mine")).ok());
  EXPECT_EQ(Read(scratch_ / "outside/victim"), "untouched");
  EXPECT_EQ(Read(*this / "l"), "mine");
}

TEST_F(Unpack, RefusesHardLinksToWhatIsNotInTheLayer) {
  ExpectRefused(TarBuilder().HardLink("a", scratch_ / "outside/victim").Finish(), "absolute");
  ExpectRefused(TarBuilder().HardLink("a", "../victim").Finish(), "\"..\"");
  ExpectRefused(TarBuilder().Symlink("l", "..").HardLink("a", "l/victim").Finish(), "leads out");
  ExpectRefused(TarBuilder().HardLink("a", "missing").Finish(), "does not have");
  ExpectRefused(TarBuilder().Dir("d").HardLink("a", "d").Finish(), "directory");
  ExpectRefused(TarBuilder().File(".wh.w").HardLink("a", "w").Finish(), "does not have");
}

TEST_F(Unpack, RefusesWhiteoutsOfNoName) {
  ExpectRefused(TarBuilder().File(".wh.").Finish(), "no file name");
  ExpectRefused(TarBuilder().File("a/.wh..").Finish(), "no file name");
  ExpectRefused(TarBuilder().File("a/.wh...").Finish(), "no file name");
  ExpectRefused(TarBuilder().File(".wh.a/b").Finish(), "below a whiteout");
}

TEST_F(Unpack, RefusesWhiteoutsThroughALinkOutOfTheLayer) {
  ExpectRefused(TarBuilder().Symlink("l", "..").File("l/.wh.victim").Finish(), "leads out");
  ExpectRefused(TarBuilder().Symlink("l", "..").File("l/.wh..wh..opq").Finish(), "leads out");
}

TEST_F(Unpack, RefusesHugeHeaders) {
  ExpectRefused(
      TarBuilder().Add({.name = "a", .pax = {{"comment", std::string(3 << 20, 'c')}}}).Finish(),
      "tar: ");
  ExpectRefused(TarBuilder().Add({.name = "a", .pax = {{"path", std::string(300, 'n')}}}).Finish(),
                "too long");
  std::string path = "p";
  for (int i = 0; i < 3000; ++i) path += "/p";
  ExpectRefused(TarBuilder().Add({.name = "a", .pax = {{"path", path}}}).Finish(), "too long");
}

TEST_F(Unpack, RefusesBombs) {
  const std::string zeros = TarBuilder().File("zeros", std::string(64 << 20, '\0')).Finish();
  const UnpackLimits small = {.max_bytes = 1 << 20, .max_entries = 100};
  for (const Compression compression : {Compression::kGzip, Compression::kZstd}) {
    ExpectRefused(Compress(zeros, compression), "more than", absl::StatusCode::kResourceExhausted,
                  small);
  }
  // Zeros after the end of the archive count too.
  ExpectRefused(Compress(std::string(64 << 20, '\0'), Compression::kGzip), "more than",
                absl::StatusCode::kResourceExhausted, small);
  TarBuilder many;
  for (int i = 0; i < 200; ++i) many.File(absl::StrCat("f", i));
  ExpectRefused(many.Finish(), "more than 100 entries", absl::StatusCode::kResourceExhausted,
                small);
  // Directories that are only implied count.
  std::string path = "d";
  for (int i = 0; i < 200; ++i) path += "/d";
  ExpectRefused(TarBuilder().Add({.name = "a", .pax = {{"path", path}}}).Finish(),
                "more than 100 entries", absl::StatusCode::kResourceExhausted, small);
  // A sparse file takes no space, but says that it is large.
  ExpectRefused(TarBuilder()
                    .Add({.name = "sparse",
                          .content = "0\n" + std::string(510, '\0'),  // the map: no data
                          .pax = {{"GNU.sparse.major", "1"},
                                  {"GNU.sparse.minor", "0"},
                                  {"GNU.sparse.name", "sparse"},
                                  {"GNU.sparse.realsize", "1099511627776"}}})
                    .Finish(),
                "more than", absl::StatusCode::kResourceExhausted, small);
}

TEST_F(Unpack, RefusesOwnersThatAreNone) {
  ExpectRefused(TarBuilder().Add({.name = "a", .pax = {{"uid", "4294967295"}}}).Finish(),
                "user id");
  ExpectRefused(TarBuilder().Add({.name = "a", .pax = {{"gid", "99999999999"}}}).Finish(),
                "group id");
}

TEST_F(Unpack, RefusesARootThatIsNoDirectory) {
  ExpectRefused(TarBuilder().Symlink("./", "/").Finish(), "root");
  ExpectRefused(TarBuilder().File(".", "x").Finish(), "root");
}

TEST_F(Unpack, RefusesAFileAsParent) {
  ExpectRefused(TarBuilder().File("f").File("f/x").Finish(), "not a directory");
}

TEST_F(Unpack, RefusesBrokenStreams) {
  const std::string tar = TarBuilder().File("f", std::string(100'000, 'x')).Finish();
  const std::string gzip = Compress(tar, Compression::kGzip);
  const std::string zstd = Compress(tar, Compression::kZstd);
  ExpectRefused(gzip.substr(0, gzip.size() - 4), "cut short");
  ExpectRefused(zstd.substr(0, zstd.size() - 4), "cut short");
  std::string wrong_sum = gzip;
  wrong_sum[wrong_sum.size() - 6] ^= 1;
  ExpectRefused(wrong_sum, "gzip: wrong checksum");
  ExpectRefused(gzip + "trailing garbage", "gzip: ");
  ExpectRefused(tar.substr(0, 50'000), "tar: ");
  ExpectRefused("this is no archive at all", "tar: ");
}

}  // namespace
}  // namespace bulkhead::image
