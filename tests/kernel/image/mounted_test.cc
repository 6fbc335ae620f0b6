#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "shim/image/unpack.h"
#include "tests/kernel/image/service_fixture.h"

namespace bulkhead::image {
namespace {

// Runs `body` in a child with a mount namespace of its own, so that no mount is left behind.
// The body's expectations show as the child's exit code.
void InOwnMounts(const std::function<void()>& body) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (unshare(CLONE_NEWNS) != 0) _exit(2);
    if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) _exit(3);
    body();
    _exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

class Mounted : public ServiceTest {
 protected:
  void SetUp() override {}  // services are opened in the child

  absl::StatusOr<Image> ImportLayers(const std::vector<std::string>& layers) {
    Open();
    const BuiltImage built = Build({.layers = layers});
    TarBuilder tar;
    std::vector<std::string> paths;
    for (size_t i = 0; i < layers.size(); ++i) {
      paths.push_back(absl::StrCat("\"", i, ".tar\""));
      tar.File(absl::StrCat(i, ".tar"), layers[i]);
    }
    tar.File("config.json", built.config.content);
    tar.File("manifest.json", absl::StrCat(R"([{"Config":"config.json","RepoTags":["demo:1"],)",
                                           R"("Layers":[)", absl::StrJoin(paths, ","), "]}]"));
    std::ofstream(data_ / "archive.tar", std::ios::binary) << tar.Finish();
    auto images = service_->Import(data_ / "archive.tar", {});
    if (!images.ok()) return images.status();
    return images->front();
  }

  bool Exists(const std::string& path) {
    return std::filesystem::exists(data_ / ("merged/" + path));
  }
};

TEST_F(Mounted, OverlayfsShowsWhatTheLayersMean) {
  InOwnMounts([this] {
    const std::string lower = TarBuilder()
                                  .File("gone", "1")
                                  .File("kept", "1")
                                  .File("opaque/old", "1")
                                  .File("replaced/old", "1")
                                  .File("merged/old", "1")
                                  .Finish();
    const std::string upper = TarBuilder()
                                  .File(".wh.gone")
                                  .File("opaque/.wh..wh..opq")
                                  .File("opaque/new", "2")
                                  .File(".wh.replaced")
                                  .File("replaced/new", "2")
                                  .File("merged/new", "2")
                                  .Finish();
    const auto image = ImportLayers({lower, TarBuilder().Finish(), upper, TarBuilder().Finish()});
    ASSERT_TRUE(image.ok()) << image.status();
    const auto layers = service_->Acquire("container", image->id);
    ASSERT_TRUE(layers.ok()) << layers.status();
    std::filesystem::create_directory(data_ / "merged");
    const std::string options = "lowerdir=" + absl::StrJoin(*layers, ":");
    ASSERT_EQ(mount("overlay", (data_ / "merged").c_str(), "overlay", 0, options.c_str()), 0)
        << strerror(errno);
    for (const char* path : {"kept", "opaque/new", "replaced/new", "merged/old", "merged/new"}) {
      EXPECT_TRUE(Exists(path)) << path;
    }
    for (const char* path : {"gone", "opaque/old", "replaced/old"}) {
      EXPECT_FALSE(Exists(path)) << path;
    }
  });
}

TEST_F(Mounted, AFullDiskIsAClearErrorAndLeavesNothing) {
  InOwnMounts([this] {
    std::filesystem::create_directory(data_ / "images");
    ASSERT_EQ(mount("none", (data_ / "images").c_str(), "tmpfs", 0, "size=2m"), 0);
    const auto image = ImportLayers({OneFile("a", std::string(4 << 20, 'x'))});
    EXPECT_TRUE(absl::IsResourceExhausted(image.status())) << image.status();
    ExpectNothingLeft();
  });
}

}  // namespace
}  // namespace bulkhead::image
