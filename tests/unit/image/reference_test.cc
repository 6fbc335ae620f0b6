#include "shim/image/reference.h"

#include <string>

#include "gtest/gtest.h"

namespace bulkhead::image {
namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');

std::string Normalised(const std::string& text) {
  const auto reference = ParseReference(text);
  return reference.ok() ? reference->str() : "error";
}

TEST(Reference, NormalisesShortNamesAsDockerDoes) {
  EXPECT_EQ(Normalised("busybox"), "docker.io/library/busybox:latest");
  EXPECT_EQ(Normalised("busybox:1.36"), "docker.io/library/busybox:1.36");
  EXPECT_EQ(Normalised("me/app"), "docker.io/me/app:latest");
  EXPECT_EQ(Normalised("docker.io/busybox"), "docker.io/library/busybox:latest");
  EXPECT_EQ(Normalised("index.docker.io/library/busybox"), "docker.io/library/busybox:latest");
}

TEST(Reference, TellsARegistryFromAPath) {
  EXPECT_EQ(Normalised("localhost/app"), "localhost/app:latest");
  EXPECT_EQ(Normalised("localhost:5000/app"), "localhost:5000/app:latest");
  EXPECT_EQ(Normalised("registry.k8s.io/pause:3.9"), "registry.k8s.io/pause:3.9");
  EXPECT_EQ(Normalised("[::1]:5000/a/b_c/d__e/f-g.h"), "[::1]:5000/a/b_c/d__e/f-g.h:latest");
}

TEST(Reference, TheDigestDecidesWhereThereAreBoth) {
  const auto reference = ParseReference("app:v1@" + kDigest);
  ASSERT_TRUE(reference.ok());
  EXPECT_EQ(reference->tag, "v1");
  EXPECT_EQ(reference->str(), "docker.io/library/app@" + kDigest);
  EXPECT_EQ(ParseReference("app@" + kDigest)->tag, "");
}

TEST(Reference, RefusesMalformedNames) {
  for (const std::string& text : {std::string(""),
                                  std::string("App"),
                                  std::string("a//b"),
                                  std::string("-a"),
                                  std::string("a-"),
                                  std::string("a..b"),
                                  std::string("a___b"),
                                  std::string("a:"),
                                  std::string("a:-b"),
                                  std::string("a:") + std::string(129, 't'),
                                  std::string("a@sha256:12"),
                                  std::string("host:port/a"),
                                  std::string("host:70000/a"),
                                  std::string("a b"),
                                  std::string("a/../b"),
                                  std::string("http://host/a"),
                                  std::string(64, 'a'),
                                  std::string(300, 'n'),
                                  std::string("a@") + kDigest + "@" + kDigest,
                                  std::string("host.example/"),
                                  std::string("a\n")}) {
    EXPECT_TRUE(absl::IsInvalidArgument(ParseReference(text).status())) << text;
  }
}

TEST(Reference, SaysThatSha512IsNotSupported) {
  EXPECT_TRUE(absl::IsUnimplemented(ParseReference("a@sha512:" + std::string(128, 'a')).status()));
}

}  // namespace
}  // namespace bulkhead::image
