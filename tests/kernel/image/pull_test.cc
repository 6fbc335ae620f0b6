#include <string>

#include "gmock/gmock.h"
#include "tests/kernel/image/service_fixture.h"

namespace bulkhead::image {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr char kOciIndex[] = "application/vnd.oci.image.index.v1+json";

std::string IndexEntry(const BuiltImage& image, const std::string& platform) {
  return absl::StrCat(R"({"mediaType":")", image.manifest_type, R"(","digest":")",
                      image.manifest.digest, R"(","size":)", image.manifest.content.size(),
                      platform.empty() ? "" : R"(,"platform":)" + platform, "}");
}

std::string IndexOf(const std::string& entries) {
  return absl::StrCat(R"({"schemaVersion":2,"mediaType":")", kOciIndex, R"(","manifests":[)",
                      entries, "]}");
}

// Pulls from Debian's docker-registry.
class Pull : public ServiceTest {
 protected:
  absl::StatusOr<Image> PullRef(const std::string& name, const Auth& auth = {}) {
    return service_->Pull(registry_.Ref(name), auth);
  }

  TestRegistry registry_;
};

TEST_F(Pull, UnpacksTheLayersAndRecordsTheImage) {
  const BuiltImage built =
      Build({.layers = {OneFile("etc/a", "lower"), OneFile("etc/a", "upper")}});
  registry_.Push("some/app", "v1", built);
  const auto image = PullRef("some/app:v1");
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->id, built.config.digest);
  EXPECT_THAT(image->repo_tags, ElementsAre(registry_.Ref("some/app:v1")));
  EXPECT_THAT(image->repo_digests, ElementsAre(registry_.Ref("some/app@") + built.manifest.digest));
  EXPECT_THAT(image->config.env, ElementsAre("A=1"));
  EXPECT_GT(image->size_bytes, built.config.content.size());
  EXPECT_EQ(image->diff_ids, built.diff_ids);
  const auto layers = service_->Acquire("container", image->id);
  ASSERT_TRUE(layers.ok()) << layers.status();
  ASSERT_EQ(layers->size(), 2u);
  EXPECT_EQ(ReadText((*layers)[0] + "/etc/a"), "upper");  // topmost first
  EXPECT_EQ(ReadText((*layers)[1] + "/etc/a"), "lower");
  EXPECT_EQ(UnfinishedOnDisk(), 0u);
}

TEST_F(Pull, TakesDockerTypesAndEveryCompression) {
  registry_.Push(
      "docker", "1",
      Build({.layers = {OneFile("a", "1"), OneFile("b", "2"), OneFile("c", "3")},
             .compressions = {Compression::kGzip, Compression::kNone, Compression::kZstd},
             .docker_types = true}));
  const auto image = PullRef("docker:1");
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(LayersOnDisk(), 3u);
}

TEST_F(Pull, ByDigestHasNoTag) {
  const BuiltImage built = Build({.layers = {OneFile("a", "1")}});
  registry_.Push("app", "v1", built);
  const auto image = PullRef("app:v1@" + built.manifest.digest);
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_THAT(image->repo_tags, IsEmpty());
  EXPECT_THAT(image->repo_digests, ElementsAre(registry_.Ref("app@") + built.manifest.digest));
}

TEST_F(Pull, ChoosesThePlatformInNestedIndexes) {
  const BuiltImage mine = Build({.layers = {OneFile("a", "mine")}});
  const BuiltImage other = Build({.layers = {OneFile("a", "other")}});
  registry_.Push("multi", "mine", mine);
  registry_.Push("multi", "other", other);
  const std::string inner =
      IndexOf(IndexEntry(other, R"({"os":"linux","architecture":"s390x"})") + "," +
              IndexEntry(mine, R"({"os":"linux","architecture":"amd64"})"));
  registry_.PushManifest("multi", "inner", kOciIndex, inner);
  const BuiltImage as_entry = {.manifest = {Digest::Of(inner).str(), inner},
                               .manifest_type = kOciIndex};
  const std::string outer = IndexOf(IndexEntry(as_entry, ""));
  registry_.PushManifest("multi", "latest", kOciIndex, outer);
  const auto image = PullRef("multi");
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(image->id, mine.config.digest);
  EXPECT_THAT(image->repo_digests, ElementsAre(registry_.Ref("multi@") + Digest::Of(outer).str()));

  registry_.PushManifest("multi", "foreign", kOciIndex,
                         IndexOf(IndexEntry(other, R"({"os":"linux","architecture":"s390x"})")));
  EXPECT_TRUE(absl::IsNotFound(PullRef("multi:foreign").status()));
}

TEST_F(Pull, SharesLayersBetweenImagesAndFetchesThemOnce) {
  const std::string base = OneFile("base", "shared");
  const BuiltImage one = Build({.layers = {base, OneFile("one", "1")}});
  registry_.Push("one", "1", one);
  const BuiltImage two = Build({.layers = {base, OneFile("two", "2")}});
  registry_.Push("two", "1", two);
  ASSERT_TRUE(PullRef("one:1").ok());
  std::filesystem::remove(registry_.BlobFile(one.layers[0].digest));
  const auto image = PullRef("two:1");
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_EQ(LayersOnDisk(), 3u);
}

TEST_F(Pull, GivesNoLayerToAnImageThatOnlyKnowsItsDiffId) {
  const std::string secret = OneFile("secret", "s");
  registry_.Push("private", "1", Build({.layers = {secret}}));
  ASSERT_TRUE(PullRef("private:1").ok());
  // Claims the private layer's diff ID, and has something else as its blob.
  BuiltImage thief = Build({.layers = {secret}});
  const BuiltImage cover = Build({.layers = {OneFile("cover", "c")}});
  std::string manifest = thief.manifest.content;
  manifest.replace(manifest.find(thief.layers[0].digest), 71, cover.layers[0].digest);
  const size_t size = manifest.rfind("\"size\":") + 7;
  manifest.replace(size, manifest.find('}', size) - size,
                   absl::StrCat(cover.layers[0].content.size()));
  registry_.PushBlob("thief", cover.layers[0]);
  registry_.PushBlob("thief", thief.config);
  registry_.PushManifest("thief", "1", thief.manifest_type, manifest);
  const auto image = PullRef("thief:1");
  EXPECT_TRUE(absl::IsDataLoss(image.status())) << image.status();
  EXPECT_THAT(std::string(image.status().message()), HasSubstr("diff ID"));
}

TEST_F(Pull, SaysThatThereIsNoSuchImage) {
  EXPECT_TRUE(absl::IsNotFound(PullRef("nothing:here").status()));
}

TEST_F(Pull, RefusesATamperedBlobAndLeavesNothing) {
  const BuiltImage built = Build(
      {.layers = {OneFile("a", std::string(100'000, 'x'))}, .compressions = {Compression::kNone}});
  registry_.Push("app", "1", built);
  std::fstream file(registry_.BlobFile(built.layers[0].digest));
  file.seekp(5000);
  file << "tampered";
  file.close();
  const auto image = PullRef("app:1");
  EXPECT_TRUE(absl::IsDataLoss(image.status())) << image.status();
  ExpectNothingLeft();
}

TEST_F(Pull, RefusesAHostileLayerAndLeavesNothing) {
  registry_.Push("evil", "1",
                 Build({.layers = {TarBuilder().Symlink("l", "/").File("l/escape").Finish()}}));
  const auto image = PullRef("evil:1");
  EXPECT_TRUE(absl::IsInvalidArgument(image.status())) << image.status();
  EXPECT_THAT(std::string(image.status().message()), HasSubstr("l/escape"));
  ExpectNothingLeft();
}

TEST_F(Pull, TakesTheMirrorOfHostsToml) {
  registry_.Push("library/busybox", "1.36", Build({.layers = {OneFile("a", "1")}}));
  std::filesystem::create_directories(data_ / "certs/docker.io");
  std::ofstream(data_ / "certs/docker.io/hosts.toml")
      << "server = 'http://127.0.0.1:1'\n[host.'http://127.0.0.1:2']\n[host.'http://"
      << registry_.host() << "']\ncapabilities = ['pull', 'resolve']\n";
  const auto image = service_->Pull("busybox:1.36", {});
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_THAT(image->repo_tags, ElementsAre("docker.io/library/busybox:1.36"));
}

class PullOverTls : public ServiceTest {
 protected:
  void SetUp() override {
    ServiceTest::SetUp();
    registry_.Push("app", "1", Build({.layers = {OneFile("a", "1")}}));
  }

  absl::Status PullWith(const std::string& setting) {
    const std::string directory = data_ / "certs/" + registry_.host();
    std::filesystem::create_directories(directory);
    std::ofstream(directory + "/hosts.toml") << "server = 'https://" << registry_.host() << "'\n"
                                             << setting << "\n";
    return service_->Pull(registry_.Ref("app:1"), {}).status();
  }

  TestRegistry registry_{{.tls = true}};
};

TEST_F(PullOverTls, TrustsNoUnknownCertificate) {
  const absl::Status status = PullWith("");
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("certificate"));
  ExpectNothingLeft();
}

TEST_F(PullOverTls, TrustsTheAuthorityOfHostsToml) {
  const absl::Status status = PullWith("ca = '" + registry_.ca_file() + "'");
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(PullOverTls, SkipsVerificationWhereHostsTomlSaysSo) {
  const absl::Status status = PullWith("skip_verify = true");
  EXPECT_TRUE(status.ok()) << status;
}

TEST_F(PullOverTls, NamesACaFileThatIsNone) {
  const absl::Status status = PullWith("ca = '/nonexistent.pem'");
  EXPECT_THAT(std::string(status.message()), HasSubstr("/nonexistent.pem"));
}

TEST_F(Pull, AsksForCredentialsAndTellsNobody) {
  TestRegistry closed({.user = "jane", .password = "s3cret"});
  closed.Push("app", "1", Build({.layers = {OneFile("a", "1")}}));
  const std::string ref = closed.Ref("app:1");
  EXPECT_TRUE(absl::IsUnauthenticated(service_->Pull(ref, {}).status()));
  const auto wrong = service_->Pull(ref, {.username = "jane", .password = "wr0ng"});
  EXPECT_TRUE(absl::IsUnauthenticated(wrong.status()));
  EXPECT_THAT(std::string(wrong.status().message()), Not(HasSubstr("wr0ng")));
  const auto elsewhere = service_->Pull(
      ref, {.username = "jane", .password = "s3cret", .server_address = "https://other.example"});
  EXPECT_TRUE(absl::IsUnauthenticated(elsewhere.status()));
  ExpectNothingLeft();
  EXPECT_TRUE(service_->Pull(ref, {.username = "jane", .password = "s3cret"}).ok());
  // The image is here, yet whoever has no right to it does not get it by a pull.
  EXPECT_TRUE(absl::IsUnauthenticated(service_->Pull(ref, {}).status()));
  EXPECT_TRUE(service_->Pull(ref, {.auth = "amFuZTpzM2NyZXQ="}).ok());
}

}  // namespace
}  // namespace bulkhead::image
