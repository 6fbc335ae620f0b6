#include <sqlite3.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "gmock/gmock.h"
#include "tests/kernel/image/service_fixture.h"

namespace bulkhead::image {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

void WriteText(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

std::string BlobPath(const std::string& digest) { return "blobs/sha256/" + digest.substr(7); }

std::string LayoutIndex(const BuiltImage& image, const std::string& annotations) {
  return absl::StrCat(R"({"schemaVersion":2,"manifests":[{"mediaType":")", image.manifest_type,
                      R"(","digest":")", image.manifest.digest, R"(","size":)",
                      image.manifest.content.size(), R"(,"annotations":{)", annotations, "}}]}");
}

// Every file of an OCI layout.
std::map<std::string, std::string> Layout(const BuiltImage& image, const std::string& annotations) {
  std::map<std::string, std::string> files = {
      {"oci-layout", R"({"imageLayoutVersion":"1.0.0"})"},
      {"index.json", LayoutIndex(image, annotations)},
      {BlobPath(image.config.digest), image.config.content},
      {BlobPath(image.manifest.digest), image.manifest.content}};
  for (const BuiltImage::Blob& layer : image.layers) files[BlobPath(layer.digest)] = layer.content;
  return files;
}

std::string TarOf(const std::map<std::string, std::string>& files) {
  TarBuilder tar;
  for (const auto& [name, content] : files) tar.File(name, content);
  return tar.Finish();
}

// What "docker save" writes, with layers linked as old versions do.
std::string DockerArchive(const std::vector<std::string>& layers, const BuiltImage& image) {
  TarBuilder tar;
  tar.File("one/layer.tar", layers[0]);
  tar.Symlink("two/layer.tar", "../one/layer.tar");
  tar.File("config.json", image.config.content);
  tar.File("manifest.json", R"([{"Config":"config.json","RepoTags":["demo:1","demo:2"],)"
                            R"("Layers":["one/layer.tar","two/layer.tar"]}])");
  return tar.Finish();
}

class Store : public ServiceTest {
 protected:
  // Adds an image of these layers under these names.
  Image Add(const std::vector<std::string>& layers, const std::vector<std::string>& names) {
    const BuiltImage built = Build({.layers = layers});
    const std::string path = data_ / "archive";
    WriteText(path, TarOf(Layout(built, "")));
    auto images = service_->Import(path, names);
    EXPECT_TRUE(images.ok()) << images.status();
    return images.ok() ? images->front() : Image{};
  }

  bool Has(const std::string& image) {
    const auto found = service_->Find(image);
    EXPECT_TRUE(found.ok()) << found.status();
    return found.ok() && found->has_value();
  }
};

TEST_F(Store, FindsAnImageByIdPrefixTagAndDigest) {
  const Image image = Add({OneFile("a", "1")}, {"demo:1"});
  ASSERT_THAT(image.repo_digests, SizeIs(1));
  EXPECT_TRUE(Has(image.id));
  EXPECT_TRUE(Has(image.id.substr(7, 12)));
  EXPECT_TRUE(Has("demo:1"));
  EXPECT_TRUE(Has("docker.io/library/demo:1"));
  EXPECT_TRUE(Has(image.repo_digests[0]));
  EXPECT_TRUE(Has("demo:other" + image.repo_digests[0].substr(image.repo_digests[0].find('@'))));
  EXPECT_FALSE(Has("demo"));
  EXPECT_FALSE(Has("sha256:" + std::string(64, '0')));
  EXPECT_TRUE(absl::IsInvalidArgument(service_->Find("Not A Name").status()));
}

TEST_F(Store, RemovingATagLeavesTheOthersAndTheLastOneTakesTheImage) {
  ASSERT_TRUE(service_->FinishRecovery().ok());
  const Image image = Add({OneFile("a", "1")}, {"demo:1", "demo:2"});
  ASSERT_TRUE(service_->Remove("demo:1").ok());
  EXPECT_FALSE(Has("demo:1"));
  EXPECT_TRUE(Has("demo:2"));
  EXPECT_EQ(LayersOnDisk(), 1u);
  ASSERT_TRUE(service_->Remove("demo:2").ok());
  EXPECT_FALSE(Has(image.id));
  ExpectNothingLeft();
  EXPECT_TRUE(service_->Remove("demo:2").ok());  // what is not there is removed
}

TEST_F(Store, RemovingAnIdTakesAllNames) {
  ASSERT_TRUE(service_->FinishRecovery().ok());
  const Image image = Add({OneFile("a", "1")}, {"demo:1", "other:2"});
  ASSERT_TRUE(service_->Remove(image.id).ok());
  ExpectNothingLeft();
}

TEST_F(Store, ALayerStaysWhileAnotherImageNeedsIt) {
  ASSERT_TRUE(service_->FinishRecovery().ok());
  const std::string base = OneFile("base", "1");
  Add({base, OneFile("a", "1")}, {"one:1"});
  Add({base, OneFile("b", "1")}, {"two:1"});
  EXPECT_EQ(LayersOnDisk(), 3u);
  ASSERT_TRUE(service_->Remove("one:1").ok());
  EXPECT_EQ(LayersOnDisk(), 2u);
}

TEST_F(Store, ATagMovesToTheNewImage) {
  const Image old_image = Add({OneFile("a", "1")}, {"demo:1"});
  const Image new_image = Add({OneFile("a", "2")}, {"demo:1"});
  EXPECT_EQ((*service_->Find("demo:1"))->id, new_image.id);
  EXPECT_THAT((*service_->Find(old_image.id))->repo_tags, IsEmpty());
  EXPECT_THAT((*service_->Find(old_image.id))->repo_digests, SizeIs(1));
}

TEST_F(Store, LayersOfARemovedImageStayUntilTheContainerIsGone) {
  ASSERT_TRUE(service_->FinishRecovery().ok());
  const Image image = Add({OneFile("a", "1")}, {"demo:1"});
  const auto layers = service_->Acquire("container", image.id);
  ASSERT_TRUE(layers.ok());
  ASSERT_TRUE(service_->Remove(image.id).ok());
  EXPECT_FALSE(Has(image.id));
  EXPECT_EQ(ReadText(layers->front() + "/a"), "1");
  service_->Release("container");
  ASSERT_TRUE(service_->Remove("another:one").ok());
  service_.reset();  // waits for the clean-up that the release asked for
  EXPECT_EQ(LayersOnDisk(), 0u);
}

TEST_F(Store, AContainerKeepsAllImagesThatItAcquired) {
  ASSERT_TRUE(service_->FinishRecovery().ok());
  const Image root = Add({OneFile("a", "1")}, {"root:1"});
  const Image volume = Add({OneFile("b", "1")}, {"volume:1"});
  const auto layers = service_->Acquire("container", volume.id);
  ASSERT_TRUE(layers.ok()) << layers.status();
  ASSERT_TRUE(service_->Acquire("container", root.id).ok());
  ASSERT_TRUE(service_->Remove(volume.id).ok());
  EXPECT_EQ(ReadText(layers->front() + "/b"), "1");
  service_->Release("container");
  service_.reset();  // waits for the clean-up that the release asked for
  EXPECT_EQ(LayersOnDisk(), 1u);
}

TEST_F(Store, ARestartDeletesNothingBeforeLeasesAreTakenAgain) {
  ASSERT_TRUE(service_->FinishRecovery().ok());
  const Image image = Add({OneFile("a", "1")}, {"demo:1"});
  ASSERT_TRUE(service_->Acquire("container", image.id).ok());
  ASSERT_TRUE(service_->Remove(image.id).ok());
  Open();
  Add({OneFile("b", "1")}, {"other:1"});
  ASSERT_TRUE(service_->Remove("other:1").ok());
  EXPECT_EQ(LayersOnDisk(), 2u);
  const auto again = service_->Acquire("container", image.id);
  ASSERT_TRUE(again.ok()) << again.status();
  ASSERT_TRUE(service_->FinishRecovery().ok());
  EXPECT_EQ(LayersOnDisk(), 1u);
  EXPECT_EQ(ReadText(again->front() + "/a"), "1");
}

TEST_F(Store, ALayerThatIsInAnImageTwiceIsGivenOnce) {
  const std::string empty = TarBuilder().Finish();
  const Image image = Add({OneFile("a", "1"), empty, OneFile("b", "1"), empty}, {"demo:1"});
  EXPECT_THAT(image.diff_ids, SizeIs(4));
  EXPECT_THAT(*service_->Acquire("container", image.id), SizeIs(3));
}

TEST_F(Store, AnOpaqueRootHidesTheLayersBelow) {
  const Image image = Add(
      {OneFile("a", "1"), TarBuilder().File(".wh..wh..opq").File("b", "1").Finish()}, {"demo:1"});
  const auto layers = service_->Acquire("container", image.id);
  ASSERT_THAT(*layers, SizeIs(1));
  EXPECT_TRUE(std::filesystem::exists(layers->front() + "/b"));
}

TEST_F(Store, CountsWhatTheLayersTake) {
  EXPECT_EQ(service_->Usage()->bytes, 0u);
  Add({OneFile("d/a", std::string(10'000, 'x'))}, {"demo:1"});
  const auto usage = service_->Usage();
  EXPECT_EQ(usage->bytes, 4096u + 12'288u);
  EXPECT_EQ(usage->inodes, 2u);
  EXPECT_TRUE(std::filesystem::is_directory(usage->mountpoint));
}

TEST_F(Store, SurvivesARestart) {
  const Image image = Add({OneFile("a", "1")}, {"demo:1"});
  Open();
  const auto found = service_->Find("demo:1");
  ASSERT_TRUE(found.ok() && *found);
  EXPECT_EQ((*found)->id, image.id);
  EXPECT_EQ((*found)->size_bytes, image.size_bytes);
}

TEST_F(Store, ALayerThatMayNotHaveReachedTheDiskIsForgottenAfterAReboot) {
  Add({OneFile("a", "1")}, {"demo:1"});
  service_.reset();
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open((data_ / "images/images.db").c_str(), &db), SQLITE_OK);
  sqlite3_exec(db, "UPDATE layers SET boot_id = 'another boot'", nullptr, nullptr, nullptr);
  sqlite3_close(db);
  Open();
  ExpectNothingLeft();
}

TEST_F(Store, AnImageWithoutItsLayersIsForgotten) {
  Add({OneFile("a", "1")}, {"demo:1"});
  std::filesystem::remove_all(data_ / "images/layers/sha256");
  Open();
  ExpectNothingLeft();
}

TEST_F(Store, SeesWhatAnotherProcessImports) {
  const BuiltImage built = Build({.layers = {OneFile("a", "1")}});
  WriteText(data_ / "archive", TarOf(Layout(built, "")));
  // Forked before anything is open: SQLite must not be taken over a fork.
  service_.reset();
  int go[2];
  ASSERT_EQ(pipe(go), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    char byte = 0;
    if (read(go[0], &byte, 1) != 1) _exit(2);
    auto service = ImageService::Open(Options());
    _exit(service.ok() && (*service)->Import(data_ / "archive", {"demo:1"}).ok() ? 0 : 1);
  }
  Open();
  EXPECT_FALSE(Has("demo:1"));
  ASSERT_EQ(write(go[1], "1", 1), 1);
  int status = 0;
  waitpid(child, &status, 0);
  close(go[0]);
  close(go[1]);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(Has("demo:1"));
  EXPECT_TRUE(service_->Acquire("container", built.config.digest).ok());
}

TEST_F(Store, ReportsPinnedImages) {
  Add({OneFile("a", "1")}, {"demo:1"});
  service_.reset();
  ImageServiceOptions options = Options();
  options.pinned = {"demo:1"};
  EXPECT_TRUE((*(*ImageService::Open(options))->Find("demo:1"))->pinned);
  Open();
  EXPECT_FALSE((*service_->Find("demo:1"))->pinned);
}

class Import : public Store {};

TEST_F(Import, ReadsADockerArchiveOfSeveralTagsWithLinkedLayers) {
  const std::vector<std::string> layers = {OneFile("a", "1"), OneFile("a", "1")};
  const BuiltImage built = Build({.layers = layers});
  WriteText(data_ / "docker.tar", DockerArchive(layers, built));
  const auto images = service_->Import(data_ / "docker.tar", {});
  ASSERT_TRUE(images.ok()) << images.status();
  ASSERT_THAT(*images, SizeIs(1));
  EXPECT_EQ(images->front().id, built.config.digest);
  EXPECT_THAT(images->front().repo_tags,
              ElementsAre("docker.io/library/demo:1", "docker.io/library/demo:2"));
  EXPECT_EQ(UnfinishedOnDisk(), 0u);
}

TEST_F(Import, ReadsCompressedOciArchivesAndLayoutDirectories) {
  const BuiltImage built = Build({.layers = {OneFile("a", "1")}});
  const auto files = Layout(built, R"("io.containerd.image.name":"docker.io/library/demo:1")");
  WriteText(data_ / "oci.tar.gz", Compress(TarOf(files), Compression::kGzip));
  for (const auto& [name, content] : files) WriteText(data_ / ("layout/" + name), content);
  for (const char* path : {"oci.tar.gz", "layout"}) {
    const auto images = service_->Import(data_ / path, {});
    ASSERT_TRUE(images.ok()) << images.status();
    EXPECT_THAT(images->front().repo_tags, ElementsAre("docker.io/library/demo:1"));
    EXPECT_THAT(images->front().repo_digests,
                ElementsAre("docker.io/library/demo@" + built.manifest.digest));
  }
}

TEST_F(Import, AsksForANameWhereTheArchiveHasNone) {
  const BuiltImage built = Build({.layers = {OneFile("a", "1")}});
  WriteText(data_ / "oci.tar", TarOf(Layout(built, "")));
  const auto images = service_->Import(data_ / "oci.tar", {});
  EXPECT_TRUE(absl::IsInvalidArgument(images.status()));
  EXPECT_THAT(std::string(images.status().message()), HasSubstr("name"));
  ExpectNothingLeft();
}

TEST_F(Import, RefusesALayoutWithAWrongBlobAndLeavesNothing) {
  const BuiltImage built = Build({.layers = {OneFile("a", "1")}});
  auto files = Layout(built, "");
  files[BlobPath(built.layers[0].digest)] = Compress(OneFile("a", "2"), Compression::kGzip);
  WriteText(data_ / "oci.tar", TarOf(files));
  EXPECT_TRUE(absl::IsDataLoss(service_->Import(data_ / "oci.tar", {"demo:1"}).status()));
  ExpectNothingLeft();
}

TEST_F(Import, RefusesArchivesWhoseFilesLieOutside) {
  WriteText(data_ / "secret", OneFile("a", "secret"));
  TarBuilder tar;
  const BuiltImage built = Build({.layers = {OneFile("a", "secret")}});
  tar.Symlink("layer.tar", data_ / "secret").File("config.json", built.config.content);
  tar.File("manifest.json",
           R"([{"Config":"config.json","RepoTags":["demo:1"],"Layers":["layer.tar"]}])");
  WriteText(data_ / "docker.tar", tar.Finish());
  EXPECT_FALSE(service_->Import(data_ / "docker.tar", {}).ok());
  ExpectNothingLeft();
}

TEST_F(Import, RefusesWhatIsNoImageArchive) {
  WriteText(data_ / "other.tar", OneFile("README", "hello"));
  EXPECT_TRUE(absl::IsInvalidArgument(service_->Import(data_ / "other.tar", {"demo:1"}).status()));
  EXPECT_TRUE(absl::IsNotFound(service_->Import(data_ / "absent.tar", {"demo:1"}).status()));
  ExpectNothingLeft();
}

}  // namespace
}  // namespace bulkhead::image
