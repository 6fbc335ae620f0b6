#include "shim/streaming/tokens.h"

#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bulkhead::streaming {
namespace {

using std::chrono::seconds;

class TokensTest : public ::testing::Test {
 protected:
  std::string Add() {
    const absl::StatusOr<std::string> token = tokens_.Add(AttachRequest{.container_id = "c"});
    EXPECT_TRUE(token.ok()) << token.status();
    return token.value_or("");
  }

  Tokens::Clock::time_point now_;
  Tokens tokens_{[this] { return now_; }};
};

TEST_F(TokensTest, ATokenIsTakenOnce) {
  const std::string token = Add();
  const std::optional<Request> request = tokens_.Take("attach", token);
  ASSERT_TRUE(request);
  EXPECT_EQ(std::get<AttachRequest>(*request).container_id, "c");
  EXPECT_FALSE(tokens_.Take("attach", token));
  EXPECT_EQ(tokens_.refused(), 1u);
}

TEST_F(TokensTest, ATokenOfAnotherKindIsRefusedAndStaysGood) {
  const std::string token = Add();
  EXPECT_FALSE(tokens_.Take("exec", token));
  EXPECT_EQ(tokens_.refused(), 1u);
  EXPECT_TRUE(tokens_.Take("attach", token));
}

TEST_F(TokensTest, ATokenExpiresAfterAMinute) {
  const std::string early = Add();
  now_ += seconds(59);
  const std::string late = Add();
  EXPECT_TRUE(tokens_.Take("attach", early));
  now_ += seconds(60);
  EXPECT_FALSE(tokens_.Take("attach", late));
}

TEST_F(TokensTest, ThousandMayWait) {
  std::set<std::string> seen;
  for (size_t i = 0; i < Tokens::kMostOutstanding; ++i) seen.insert(Add());
  EXPECT_EQ(seen.size(), Tokens::kMostOutstanding);
  EXPECT_EQ(tokens_.Add(AttachRequest{}).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(tokens_.Take("attach", *seen.begin()));
  Add();
  now_ += seconds(61);
  Add();
}

TEST_F(TokensTest, ATokenHas128BitsAndFitsAUrl) {
  const std::string token = Add();
  EXPECT_EQ(token.size(), 22u);  // 6 bits a letter.
  EXPECT_EQ(token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                    "0123456789-_"),
            std::string::npos);
}

}  // namespace
}  // namespace bulkhead::streaming
