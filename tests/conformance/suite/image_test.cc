// Images: pulling, telling, removing.
#include <thread>

#include "tests/conformance/fixture/pod_test.h"

namespace bulkhead::fixture {
namespace {

using testing::Contains;
using testing::IsEmpty;
using testing::SizeIs;

class ImageTest : public PodTest {
 protected:
  ~ImageTest() override {
    for (const std::string& image : pushed_) cri().RemoveImage(image).IgnoreError();
  }

  // An image that no other test has, with one small layer.
  std::string Push(const std::string& name, const std::vector<Entry>& entries,
                   const ImageConfig& config = {}) {
    image_ = Image::Of({Layer::Of(entries)}, config);
    pushed_.push_back(suite().registry().Push("conformance/" + name, "1", image_));
    return pushed_.back();
  }
  const Image& pushed() const { return image_; }
  bool IsHere(const std::string& reference) {
    return Must(cri().ImageStatus(reference)).has_image();
  }

 private:
  Image image_;
  std::vector<std::string> pushed_;
};

TEST_F(ImageTest, IsPulledAndTold) {
  const std::string reference =
      Push("told", {{.path = "file", .content = "told"}}, {.user = "1234:5678"});
  const std::string pulled = Must(cri().PullImage(reference));
  auto image = Must(cri().ImageStatus(reference)).image();
  EXPECT_EQ(image.id(), Digest(pushed().config));
  EXPECT_THAT(image.repo_tags(), Contains(reference));
  EXPECT_THAT(image.repo_digests(), Contains(reference.substr(0, reference.rfind(':')) + "@" +
                                             Digest(pushed().manifest)));
  EXPECT_GT(image.size(), 0u);
  EXPECT_EQ(image.uid().value(), 1234);
  EXPECT_TRUE(IsHere(pulled));
}

TEST_F(ImageTest, TellsAUserByName) {
  const std::string reference =
      Push("named", {{.path = "file", .content = "named"}}, {.user = "app"});
  Must(cri().PullImage(reference));
  auto image = Must(cri().ImageStatus(reference)).image();
  EXPECT_EQ(image.username(), "app");
  EXPECT_FALSE(image.has_uid());
}

TEST_F(ImageTest, IsFoundByItsIdAndItsDigest) {
  const std::string reference = Push("found", {{.path = "file", .content = "found"}});
  Must(cri().PullImage(reference));
  auto image = Must(cri().ImageStatus(reference)).image();
  EXPECT_TRUE(IsHere(image.id()));
  EXPECT_TRUE(IsHere(image.repo_digests(0)));
}

TEST_F(ImageTest, IsPulledByDigest) {
  const std::string reference = Push("digest", {{.path = "file", .content = "digest"}});
  const std::string by_digest =
      reference.substr(0, reference.rfind(':')) + "@" + Digest(pushed().manifest);
  Must(cri().PullImage(by_digest));
  auto image = Must(cri().ImageStatus(by_digest)).image();
  EXPECT_THAT(image.repo_tags(), IsEmpty());
  EXPECT_THAT(image.repo_digests(), Contains(by_digest));
  Must(cri().RemoveImage(by_digest));
}

TEST_F(ImageTest, IsListedAloneAndAmongAll) {
  const std::string reference = Push("listed", {{.path = "file", .content = "listed"}});
  Must(cri().PullImage(reference));
  EXPECT_GE(Must(cri().ListImages()).size(), 2u);
  if (!suite().is_bulkhead()) GTEST_SKIP() << "another runtime may list all in spite of a filter";
  EXPECT_THAT(Must(cri().ListImages(reference)), SizeIs(1));
  EXPECT_THAT(Must(cri().ListImages("127.0.0.1:1/never/pulled:1")), IsEmpty());
}

TEST_F(ImageTest, WithTwoTagsIsOneImage) {
  const std::string one = Push("tags", {{.path = "file", .content = "tags"}});
  const std::string two = suite().registry().Push("conformance/tags", "2", pushed());
  Must(cri().PullImage(one));
  Must(cri().PullImage(two));
  auto image = Must(cri().ImageStatus(one)).image();
  EXPECT_THAT(image.repo_tags(), testing::UnorderedElementsAre(one, two));
}

TEST_F(ImageTest, IsRemovedAndMayBeRemovedAgain) {
  const std::string reference = Push("removed", {{.path = "file", .content = "removed"}});
  Must(cri().PullImage(reference));
  EXPECT_TRUE(cri().RemoveImage(reference).ok());
  EXPECT_FALSE(IsHere(reference));
  EXPECT_TRUE(cri().RemoveImage(reference).ok());
}

TEST_F(ImageTest, IsRemovedByManyAtOnce) {
  const std::string reference = Push("many", {{.path = "file", .content = "many"}});
  Must(cri().PullImage(reference));
  std::vector<std::thread> callers;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&] { EXPECT_TRUE(cri().RemoveImage(reference).ok()); });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_FALSE(IsHere(reference));
}

TEST_F(ImageTest, IsPulledByManyAtOnce) {
  const std::string reference =
      Push("joined", {{.path = "file", .content = std::string(1 << 20, 'j')}});
  std::vector<std::thread> callers;
  for (int i = 0; i < 4; ++i) {
    callers.emplace_back([&] { EXPECT_TRUE(cri().PullImage(reference).ok()); });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_TRUE(IsHere(reference));
}

TEST_F(ImageTest, StatusOfOneThatIsNotHereHasNone) {
  EXPECT_FALSE(IsHere("127.0.0.1:1/never/pulled:1"));
}

TEST_F(ImageTest, PullOfAMissingOneFails) {
  EXPECT_FALSE(cri().PullImage(suite().registry().host() + "/conformance/missing:1").ok());
}

TEST_F(ImageTest, WithASpoiledLayerIsRefusedAndNotKept) {
  const std::string reference =
      Push("spoiled", {{.path = "file", .content = std::string(10000, 's')}});
  std::string blob = pushed().layers[0].blob;
  blob[blob.size() / 2] ^= 1;
  WriteFile(suite().registry().BlobFile(Digest(pushed().layers[0].blob)), blob);
  EXPECT_FALSE(cri().PullImage(reference).ok());
  EXPECT_FALSE(IsHere(reference));
}

TEST_F(ImageTest, LayersAreStackedWithWhiteouts) {
  using Type = Entry::Type;
  Image image = Image::Of(
      {suite().base_layer(),
       Layer::Of({{.path = "a", .type = Type::kDirectory, .mode = 0755},
                  {.path = "a/gone", .content = "x"},
                  {.path = "a/kept", .content = "x"},
                  {.path = "b", .type = Type::kDirectory, .mode = 0755},
                  {.path = "b/hidden", .content = "x"}}),
       Layer::Of({{.path = "a/.wh.gone", .content = ""},
                  {.path = "b", .type = Type::kDirectory, .mode = 0755},
                  {.path = "b/.wh..wh..opq", .content = ""},
                  {.path = "b/new", .content = "x"},
                  {.path = "owned", .content = "x", .mode = 04755, .uid = 12, .gid = 34}})},
      {});
  const std::string reference = suite().registry().Push("conformance/stacked", "1", image);
  Must(cri().PullImage(reference));
  auto config = Shell("ls -A /a /b; stat -c '%u %g %a' /owned");
  config.mutable_image()->set_image(reference);
  EXPECT_EQ(OutputOf(RunPod(), config), "/a:\nkept\n\n/b:\nnew\n12 34 4755\n");
}

// fsconfig(2) takes 256 bytes a value, mount(2) a page of options, and Linux 6.1 no layers one by
// one.
TEST_F(ImageTest, OfManyLayersWithLongPathsRuns) {
  const std::string folder = std::string(200, 'd') + "/" + std::string(200, 'e');
  for (const int layers : {1, 20, 120}) {
    std::vector<Layer> stack = {suite().base_layer()};
    for (int i = 1; i < layers; ++i) {
      const std::string file = folder + "/" + std::to_string(i) + std::string(200, 'f');
      stack.push_back(Layer::Of({{.path = file, .content = std::to_string(i) + "\n"}}));
    }
    const std::string reference = suite().registry().Push(
        "conformance/layers" + std::to_string(layers), "1", Image::Of(stack, {}));
    Must(cri().PullImage(reference, {}, {.deadline = std::chrono::minutes(10)}));
    auto config =
        Shell("cat /ddd*/*/* 2>/dev/null | sort -n | tail -n 1; ls /ddd*/* 2>/dev/null | wc -l");
    config.mutable_image()->set_image(reference);
    const std::string top = layers == 1 ? "" : std::to_string(layers - 1) + "\n";
    EXPECT_EQ(OutputOf(RunPod(), config), top + std::to_string(layers - 1) + "\n");
    Must(cri().RemoveImage(reference));
  }
}

TEST_F(ImageTest, WithAHostileLayerIsRefusedAndNotKept) {
  if (!suite().is_bulkhead()) GTEST_SKIP() << "another runtime may rewrite such paths";
  const std::vector<std::vector<Entry>> hostile = {
      {{.path = "../escape", .content = "x"}},
      {{.path = "/absolute/../../escape", .content = "x"}},
      {{.path = "link", .type = Entry::Type::kSymlink, .target = "../../../.."},
       {.path = "link/escape", .content = "x"}},
      {{.path = "hard", .type = Entry::Type::kHardLink, .target = "../../../etc/passwd"}}};
  for (size_t i = 0; i < hostile.size(); ++i) {
    const std::string reference = Push("hostile" + std::to_string(i), hostile[i]);
    EXPECT_FALSE(cri().PullImage(reference).ok()) << hostile[i][0].path;
    EXPECT_FALSE(IsHere(reference));
  }
}

TEST_F(ImageTest, FileSystemIsTold) {
  auto info = Must(cri().ImageFsInfo());
  ASSERT_GE(info.image_filesystems_size(), 1);
  EXPECT_FALSE(info.image_filesystems(0).fs_id().mountpoint().empty());
  EXPECT_GT(info.image_filesystems(0).used_bytes().value(), 0u);
  EXPECT_GT(info.image_filesystems(0).timestamp(), 0);
}

TEST_F(ImageTest, InUseByAContainerLetsItRunOn) {
  const std::string reference = suite().PullWith("in-use", {.env = {"PATH=/bin", "IN=use"}});
  auto config = Idle();
  config.mutable_image()->set_image(reference);
  const std::string id = Start(RunPod(), config);
  cri().RemoveImage(reference).IgnoreError();
  EXPECT_EQ(Exec(id, "echo $IN; ls /bin/sh"), "use\n/bin/sh\n");
}

}  // namespace
}  // namespace bulkhead::fixture
