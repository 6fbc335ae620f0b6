#include "shim/cri/translate_image.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/unit/cri/status_matcher.h"

namespace bulkhead::cri {
namespace {

namespace v1 = ::runtime::v1;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

image::Image AnImage() {
  return {.id = "sha256:abc",
          .repo_tags = {"docker.io/library/nginx:1.26"},
          .repo_digests = {"docker.io/library/nginx@sha256:def"},
          .size_bytes = 12345,
          .pinned = true,
          .config = {.env = {"TOKEN=hunter2"}, .cmd = {"nginx"}},
          .diff_ids = {"sha256:1"}};
}

TEST(FromImage, TellsWhatTheKubeletReads) {
  const v1::Image image = FromImage(AnImage());
  EXPECT_EQ(image.id(), "sha256:abc");
  EXPECT_THAT(image.repo_tags(), ElementsAre("docker.io/library/nginx:1.26"));
  EXPECT_THAT(image.repo_digests(), ElementsAre("docker.io/library/nginx@sha256:def"));
  EXPECT_EQ(image.size(), 12345u);
  EXPECT_TRUE(image.pinned());
}

TEST(FromImage, TellsAUserByNumberOrByName) {
  const auto user = [](const std::string& text) {
    image::Image image = AnImage();
    image.config.user = text;
    return FromImage(image);
  };
  EXPECT_EQ(user("101").uid().value(), 101);
  EXPECT_EQ(user("101:www").uid().value(), 101);
  EXPECT_EQ(user("0").has_uid(), true);
  EXPECT_EQ(user("www:5").username(), "www");
  EXPECT_FALSE(user("www:5").has_uid());
  EXPECT_FALSE(user("").has_uid());
  EXPECT_EQ(user("").username(), "");
}

TEST(ImageInfo, IsJsonWithoutTheEnvironment) {
  const std::string info = ImageInfo(AnImage());
  EXPECT_THAT(info, Not(HasSubstr("hunter2")));
  EXPECT_EQ(nlohmann::json::parse(info).at("cmd").at(0), "nginx");
}

TEST(ToAuth, TakesOverEveryField) {
  v1::AuthConfig auth;
  auth.set_username("u");
  auth.set_password("p");
  auth.set_auth("a");
  auth.set_server_address("s");
  auth.set_identity_token("i");
  auth.set_registry_token("r");
  const image::Auth expected{.username = "u",
                             .password = "p",
                             .auth = "a",
                             .server_address = "s",
                             .identity_token = "i",
                             .registry_token = "r"};
  EXPECT_TRUE(ToAuth(auth) == expected);
}

TEST(ToImageName, NeedsAName) {
  EXPECT_THAT(ToImageName(v1::ImageSpec()).status(), IsInvalid("image.image: is empty"));
}

TEST(FromUsage, SetsEveryFigureEvenWhenItIsZero) {
  const v1::FilesystemUsage usage =
      FromUsage({.mountpoint = "/var/lib"}, absl::FromUnixNanos(1'000'000'007));
  EXPECT_EQ(usage.timestamp(), 1'000'000'007);
  EXPECT_EQ(usage.fs_id().mountpoint(), "/var/lib");
  EXPECT_TRUE(usage.has_used_bytes());
  EXPECT_TRUE(usage.has_inodes_used());
}

}  // namespace
}  // namespace bulkhead::cri
