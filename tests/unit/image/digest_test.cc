#include "shim/image/digest.h"

#include "gtest/gtest.h"

namespace bulkhead::image {
namespace {

TEST(Digest, IsThatOfFips180) {
  const std::string abc = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  EXPECT_EQ(Digest::Of("abc").str(), abc);
  Sha256 hash;
  hash.Update("a");
  hash.Update("bc");
  EXPECT_EQ(hash.Finish().str(), abc);
  EXPECT_EQ(Digest::Parse(abc)->hex(), abc.substr(7));
}

TEST(Digest, RefusesWhatIsNoFileName) {
  for (const std::string& text : {std::string("sha256:../../etc"), "sha256:" + std::string(63, 'a'),
                                  "sha256:" + std::string(64, 'G'), std::string(64, 'a'),
                                  "sha256:" + std::string(64, 'A'), std::string()}) {
    EXPECT_TRUE(absl::IsInvalidArgument(Digest::Parse(text).status())) << text;
  }
}

}  // namespace
}  // namespace bulkhead::image
