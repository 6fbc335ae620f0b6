#include "shim/image/layer_path.h"

#include "gtest/gtest.h"

namespace bulkhead::image {
namespace {

std::string Parsed(const std::string& name) {
  const auto path = ParseLayerPath(name);
  return path.ok() ? path->parent + "|" + path->base : "refused";
}

std::string Classified(const std::string& name) {
  auto path = ParseLayerPath(name);
  if (!path.ok()) return "refused";
  const auto kind = ClassifyMember(*path);
  if (!kind.ok()) return "refused";
  switch (*kind) {
    case MemberKind::kEntry:
      return "entry " + path->str();
    case MemberKind::kWhiteout:
      return "whiteout " + path->str();
    case MemberKind::kOpaque:
      return "opaque " + path->parent;
    case MemberKind::kAufsMetadata:
      return "metadata";
  }
  return "";
}

TEST(LayerPath, DropsWhatMeansNothing) {
  EXPECT_EQ(Parsed("a"), "|a");
  EXPECT_EQ(Parsed("./a//b/./c/"), "a/b|c");
  EXPECT_EQ(Parsed("./"), "|");
  EXPECT_EQ(Parsed("..."), "|...");
}

TEST(LayerPath, RefusesNamesThatLeadElsewhere) {
  for (const std::string& name : {std::string(""), std::string("/"), std::string("/a"),
                                  std::string(".."), std::string("a/.."), std::string("a/../b"),
                                  std::string("a\0b", 3), std::string(4096, 'a')}) {
    EXPECT_EQ(Parsed(name), "refused") << name.substr(0, 20);
  }
}

TEST(MemberKind, KnowsWhiteouts) {
  EXPECT_EQ(Classified("a/b"), "entry a/b");
  EXPECT_EQ(Classified("a/.wh.b"), "whiteout a/b");
  EXPECT_EQ(Classified(".wh.b"), "whiteout b");
  EXPECT_EQ(Classified("a/.wh..wh..opq"), "opaque a");
  EXPECT_EQ(Classified(".wh..wh..opq"), "opaque ");
  EXPECT_EQ(Classified("a/.who"), "entry a/.who");
}

TEST(MemberKind, PassesOverTheTracesOfAufs) {
  EXPECT_EQ(Classified(".wh..wh.plnk"), "metadata");
  EXPECT_EQ(Classified(".wh..wh.plnk/1.2"), "metadata");
  EXPECT_EQ(Classified("a/.wh..wh.aufs"), "metadata");
}

TEST(MemberKind, RefusesWhiteoutsOfNoNameAndWhatIsBelowOne) {
  for (const char* name : {".wh.", "a/.wh..", "a/.wh...", ".wh.a/b", "a/.wh.b/.wh.c"}) {
    EXPECT_EQ(Classified(name), "refused") << name;
  }
}

TEST(KeepsXattr, TakesTheImagesOwnOnly) {
  for (const char* name : {"user.a", "security.capability", "system.posix_acl_access"}) {
    EXPECT_TRUE(KeepsXattr(name)) << name;
  }
  for (const char* name : {"trusted.overlay.opaque", "trusted.x", "user.overlay.metacopy",
                           "security.selinux", "security.ima", "system.nfs4_acl", ""}) {
    EXPECT_FALSE(KeepsXattr(name)) << name;
  }
}

}  // namespace
}  // namespace bulkhead::image
