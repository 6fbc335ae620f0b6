#include "shim/image/registry_auth.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bulkhead::image {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

TEST(ParseChallenges, ReadsQuotedAndPlainValuesOfSeveralChallenges) {
  const auto all = ParseChallenges(
      R"(Bearer realm="https://auth.example/token",service="a \"b\", c",scope=x, Basic realm="r")");
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_EQ(all[0].scheme, "bearer");
  EXPECT_EQ(all[0].values.at("realm"), "https://auth.example/token");
  EXPECT_EQ(all[0].values.at("service"), "a \"b\", c");
  EXPECT_EQ(all[0].values.at("scope"), "x");
  EXPECT_EQ(all[1].scheme, "basic");
}

TEST(ParseChallenges, EndsOnAnyInput) {
  for (const char* text : {"", ",", "=", "Bearer realm=\"open", "\"", "a b c", "Bearer =x", "a==b",
                           "Bearer realm=\"x\\"}) {
    ParseChallenges(text);
  }
  EXPECT_THAT(ParseChallenges("Basic"), SizeIs(1));
}

TEST(UserPassword, ComesFromTheFieldsOrFromAuth) {
  EXPECT_EQ(UserPasswordOf({.username = "u", .password = "p"})->password, "p");
  const auto decoded = UserPasswordOf({.auth = "amFuZTpzM2M6cmV0"});  // jane:s3c:ret
  EXPECT_EQ(decoded->user, "jane");
  EXPECT_EQ(decoded->password, "s3c:ret");
  EXPECT_EQ(UserPasswordOf({})->user, "");
}

TEST(UserPassword, RefusesABrokenAuthWithoutRepeatingIt) {
  for (const char* value : {"!!!secret", "c2VjcmV0"}) {
    const auto result = UserPasswordOf({.auth = value});
    EXPECT_TRUE(absl::IsInvalidArgument(result.status()));
    EXPECT_THAT(std::string(result.status().message()), Not(HasSubstr("secret")));
  }
}

bool May(const std::string& authority, bool is_mirror, const std::string& server_address) {
  RegistryHost host{.scheme = "https", .authority = authority, .is_mirror = is_mirror};
  return MaySendTo(host, {.domain = "docker.io", .path = "a"}, {.server_address = server_address});
}

TEST(Credentials, GoToTheRegistryAndNotToItsMirrors) {
  EXPECT_TRUE(May("registry-1.docker.io", false, ""));
  EXPECT_FALSE(May("mirror.example", true, ""));
}

TEST(Credentials, GoOnlyToTheServerThatTheyWereMadeFor) {
  EXPECT_TRUE(May("registry-1.docker.io", false, "https://index.docker.io/v1/"));
  EXPECT_TRUE(May("mirror.example", true, "mirror.example"));
  EXPECT_FALSE(May("registry-1.docker.io", false, "quay.io"));
}

}  // namespace
}  // namespace bulkhead::image
