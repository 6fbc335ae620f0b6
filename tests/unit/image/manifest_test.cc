#include "shim/image/manifest.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bulkhead::image {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr char kOciManifest[] = "application/vnd.oci.image.manifest.v1+json";
constexpr char kOciIndex[] = "application/vnd.oci.image.index.v1+json";
constexpr char kOciConfig[] = "application/vnd.oci.image.config.v1+json";
constexpr char kOciLayer[] = "application/vnd.oci.image.layer.v1.tar+gzip";

std::string Describe(const std::string& type, char digit, const std::string& more = "") {
  return absl::StrCat(R"({"mediaType":")", type, R"(","digest":"sha256:)", std::string(64, digit),
                      R"(","size":7)", more, "}");
}

std::string ManifestOf(const std::string& config, const std::string& layers) {
  return absl::StrCat(R"({"schemaVersion":2,"config":)", config, R"(,"layers":[)", layers, "]}");
}

std::string Platform(const char* architecture, const char* variant = "") {
  return absl::StrCat(R"(,"platform":{"os":"linux","architecture":")", architecture,
                      R"(","variant":")", variant, R"("})");
}

char Chosen(const std::string& entries) {
  const auto index = ParseIndex(R"({"manifests":[)" + entries + "]}");
  if (!index.ok()) return '!';
  const auto chosen = SelectPlatform(*index, {"linux", "amd64", "v1"});
  return chosen.ok() ? chosen->digest.hex()[0] : '-';
}

TEST(DocumentType, BelievesTheDocumentThenTheSender) {
  EXPECT_EQ(*DocumentType(R"({"layers":[]})", kOciManifest), kOciManifest);
  EXPECT_EQ(*DocumentType(R"({"manifests":[]})", "text/plain"), kOciIndex);
  EXPECT_EQ(*DocumentType(absl::StrCat(R"({"mediaType":")", kOciManifest, "\"}"), ""),
            kOciManifest);
}

TEST(DocumentType, RefusesDocumentsOfTwoMeanings) {
  EXPECT_FALSE(DocumentType(R"({"manifests":[],"layers":[]})", kOciIndex).ok());
  EXPECT_FALSE(DocumentType(R"({"manifests":[]})", kOciManifest).ok());
  EXPECT_FALSE(
      DocumentType(absl::StrCat(R"({"mediaType":")", kOciIndex, "\"}"), kOciManifest).ok());
  EXPECT_FALSE(DocumentType(R"({"mediaType":"application/x-else"})", "").ok());
  EXPECT_FALSE(DocumentType("[]", "").ok());
  EXPECT_TRUE(absl::IsUnimplemented(DocumentType(R"({"fsLayers":[]})", "").status()));
}

TEST(SelectPlatform, TakesTheFirstThatFits) {
  const std::string arm = Describe(kOciManifest, '1', Platform("arm64"));
  const std::string amd = Describe(kOciManifest, '2', Platform("amd64"));
  const std::string again = Describe(kOciManifest, '3', Platform("amd64"));
  EXPECT_EQ(Chosen(absl::StrCat(arm, ",", amd, ",", again)), '2');
  EXPECT_EQ(Chosen(arm), '-');
}

TEST(SelectPlatform, PassesOverVariantsThatNeedANewerProcessor) {
  const std::string v3 = Describe(kOciManifest, '3', Platform("amd64", "v3"));
  const std::string v1 = Describe(kOciManifest, '1', Platform("amd64", "v1"));
  EXPECT_EQ(Chosen(v3 + "," + v1), '1');
  EXPECT_EQ(Chosen(v3), '-');
}

TEST(SelectPlatform, PrefersAPlatformToNone) {
  const std::string none = Describe(kOciManifest, '1');
  EXPECT_EQ(Chosen(none), '1');
  EXPECT_EQ(Chosen(none + "," + Describe(kOciManifest, '2', Platform("amd64"))), '2');
}

TEST(ParseManifest, ReadsConfigAndLayers) {
  const auto manifest = ParseManifest(
      ManifestOf(Describe(kOciConfig, 'a'),
                 Describe(kOciLayer, 'b') + "," +
                     Describe("application/vnd.docker.image.rootfs.diff.tar.gzip", 'c')));
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->config.size, 7u);
  EXPECT_THAT(manifest->layers, SizeIs(2));
}

TEST(ParseManifest, NamesTheFieldAtFault) {
  const std::string config = Describe(kOciConfig, 'a');
  const auto fault = [](const std::string& text) {
    return std::string(ParseManifest(text).status().message());
  };
  EXPECT_THAT(fault(ManifestOf(Describe("application/vnd.cncf.helm.config.v1+json", 'a'), "")),
              HasSubstr("manifest.config.mediaType: \"application/vnd.cncf.helm"));
  EXPECT_THAT(fault(ManifestOf(config, Describe(absl::StrCat(kOciLayer, "+encrypted"), 'b'))),
              HasSubstr("manifest.layers"));
  EXPECT_THAT(fault(ManifestOf(config, R"({"digest":"md5:1"})")), HasSubstr("digest"));
  EXPECT_THAT(fault(ManifestOf(config, R"({"digest":"sha256:)" + std::string(64, 'A') + "\"}")),
              HasSubstr("digest"));
  EXPECT_THAT(fault(R"({"layers":[]})"), HasSubstr("manifest.config"));
  EXPECT_THAT(fault("{"), HasSubstr("no JSON object"));
  std::string many = Describe(kOciLayer, 'b');
  for (int i = 0; i < 500; ++i) absl::StrAppend(&many, ",", Describe(kOciLayer, 'b'));
  EXPECT_THAT(fault(ManifestOf(config, many)), HasSubstr("over 500 layers"));
}

TEST(ParseManifest, RefusesSizesThatAreNone) {
  for (const char* size : {"-1", "1.5", "\"7\"", "null"}) {
    const std::string config =
        absl::StrCat(R"({"mediaType":")", kOciConfig, R"(","digest":"sha256:)",
                     std::string(64, 'a'), R"(","size":)", size, "}");
    EXPECT_FALSE(ParseManifest(ManifestOf(config, "")).ok()) << size;
  }
}

TEST(ParseConfigFile, ReadsWhatAContainerNeeds) {
  const auto file = ParseConfigFile(
      R"({"os":"linux","architecture":"amd64","rootfs":{"diff_ids":["sha256:)" +
          std::string(64, 'd') +
          R"("]},"config":{"Env":["A=1"],"Entrypoint":["/e"],"Cmd":null,"User":"1:2",
          "WorkingDir":"/w","StopSignal":"SIGINT","Volumes":{"/v":{}},"Labels":{"k":"v"}}})",
      HostPlatform());
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(file->config.env, ElementsAre("A=1"));
  EXPECT_THAT(file->config.entrypoint, ElementsAre("/e"));
  EXPECT_TRUE(file->config.cmd.empty());
  EXPECT_EQ(file->config.user, "1:2");
  EXPECT_EQ(file->config.working_dir, "/w");
  EXPECT_EQ(file->config.stop_signal, "SIGINT");
  EXPECT_THAT(file->config.volumes, ElementsAre("/v"));
  EXPECT_EQ(file->config.labels.at("k"), "v");
  EXPECT_THAT(file->diff_ids, SizeIs(1));
}

TEST(ParseConfigFile, RefusesOtherPlatformsAndMalformedFields) {
  const std::string rootfs = R"("rootfs":{"diff_ids":[]})";
  const auto refused = [](const std::string& text) {
    return absl::IsInvalidArgument(ParseConfigFile(text, {"linux", "amd64", "v1"}).status());
  };
  EXPECT_TRUE(refused(R"({"os":"windows",)" + rootfs + "}"));
  EXPECT_TRUE(refused(R"({"architecture":"arm64",)" + rootfs + "}"));
  EXPECT_TRUE(refused(R"({"config":{"Env":"A=1"},)" + rootfs + "}"));
  EXPECT_TRUE(refused(R"({"config":{"Env":[1]},)" + rootfs + "}"));
  EXPECT_TRUE(refused(R"({"config":{"Labels":{"a":1}},)" + rootfs + "}"));
  EXPECT_TRUE(refused(R"({"rootfs":{"diff_ids":["../../etc"]}})"));
  EXPECT_TRUE(refused("{}"));
}

}  // namespace
}  // namespace bulkhead::image
