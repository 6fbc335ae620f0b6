#include "shim/streaming/spdy/header_block.h"

#include <zlib.h>

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "shim/streaming/spdy/dictionary.h"
#include "shim/streaming/spdy/wire.h"

namespace bulkhead::spdy {
namespace {

using ::testing::Optional;

// What another implementation's zlib makes of a block.
std::string Deflate(const std::string& text) {
  z_stream zlib{};
  deflateInit(&zlib, Z_DEFAULT_COMPRESSION);
  const std::string& dictionary = Dictionary();
  deflateSetDictionary(&zlib, reinterpret_cast<const Bytef*>(dictionary.data()), dictionary.size());
  std::string out(text.size() + 1024, '\0');
  zlib.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  zlib.avail_in = text.size();
  zlib.next_out = reinterpret_cast<Bytef*>(out.data());
  zlib.avail_out = out.size();
  deflate(&zlib, Z_SYNC_FLUSH);
  out.resize(out.size() - zlib.avail_out);
  deflateEnd(&zlib);
  return out;
}

TEST(Dictionary, IsTheOneOfTheDraft) {
  const std::string& dictionary = Dictionary();
  ASSERT_EQ(dictionary.size(), 1423u);
  EXPECT_EQ(adler32(1, reinterpret_cast<const Bytef*>(dictionary.data()), dictionary.size()),
            0xe3c6a7c2u);
}

TEST(HeaderBlock, ReadsWhatItWroteBlockAfterBlock) {
  HeaderWriter writer;
  HeaderReader reader;
  const Headers first = {{"streamtype", "error"}, {"port", "80"}};
  const Headers second = {{"streamtype", "data"}, {"port", "80"}, {"requestid", ""}};
  EXPECT_THAT(reader.Read(writer.Write(first)), Optional(first));
  EXPECT_THAT(reader.Read(writer.Write({})), Optional(Headers()));
  EXPECT_THAT(reader.Read(writer.Write(second)), Optional(second));
}

TEST(HeaderBlock, ReadsLongValuesInOneFlush) {
  HeaderWriter writer;
  HeaderReader reader;
  std::string noise;
  for (uint32_t i = 0, x = 1; i < 8000; ++i) noise.push_back(static_cast<char>(x = x * 69069 + 1));
  const Headers headers = {{"a", noise}};
  EXPECT_THAT(reader.Read(writer.Write(headers)), Optional(headers));
}

TEST(HeaderBlock, ReadsALargerWindowThanItWrites) {
  HeaderReader reader;
  const Headers headers = {{"streamtype", "stdin"}};
  EXPECT_THAT(reader.Read(Deflate(WritePairs(headers))), Optional(headers));
}

TEST(HeaderBlock, RefusesABombAfterInflatingNoMoreThanTheLimit) {
  HeaderReader reader;
  const std::string bomb = Deflate(std::string(64 << 20, 'a'));
  ASSERT_LT(bomb.size(), 100'000u);
  EXPECT_EQ(reader.Read(bomb), std::nullopt);
}

TEST(HeaderBlock, ReadsNothingMoreAfterAFailure) {
  HeaderReader reader;
  EXPECT_EQ(reader.Read("no zlib"), std::nullopt);
  EXPECT_EQ(reader.Read(HeaderWriter().Write({})), std::nullopt);
}

TEST(HeaderBlock, RefusesAnotherDictionary) {
  z_stream zlib{};
  deflateInit(&zlib, Z_DEFAULT_COMPRESSION);
  deflateSetDictionary(&zlib, reinterpret_cast<const Bytef*>("another"), 7);
  std::string out(100, '\0');
  std::string in(4, '\0');
  zlib.next_in = reinterpret_cast<Bytef*>(in.data());
  zlib.avail_in = in.size();
  zlib.next_out = reinterpret_cast<Bytef*>(out.data());
  zlib.avail_out = out.size();
  deflate(&zlib, Z_SYNC_FLUSH);
  out.resize(out.size() - zlib.avail_out);
  deflateEnd(&zlib);
  EXPECT_EQ(HeaderReader().Read(out), std::nullopt);
}

TEST(ParsePairs, RefusesWhatIsMalformed) {
  const auto block = [](uint32_t count, const std::string& rest) {
    std::string text;
    Put32(count, text);
    return text + rest;
  };
  const std::string pair = WritePairs({{"a", "b"}}).substr(4);
  const std::string upper = WritePairs({{"A", "b"}}).substr(4);
  const std::string unnamed = WritePairs({{"", "b"}}).substr(4);
  EXPECT_EQ(ParsePairs("", 10), std::nullopt);
  EXPECT_EQ(ParsePairs(block(1, ""), 10), std::nullopt);
  EXPECT_EQ(ParsePairs(block(0xffffffff, pair), 10), std::nullopt);
  EXPECT_EQ(ParsePairs(block(2, pair), 10), std::nullopt);
  EXPECT_EQ(ParsePairs(block(2, pair + pair), 10), std::nullopt) << "the same name twice";
  EXPECT_EQ(ParsePairs(block(1, pair + "x"), 10), std::nullopt) << "something after the last";
  EXPECT_EQ(ParsePairs(block(1, upper), 10), std::nullopt);
  EXPECT_EQ(ParsePairs(block(1, unnamed), 10), std::nullopt);
  EXPECT_EQ(ParsePairs(block(1, pair), 0), std::nullopt) << "more than the limit";
  EXPECT_EQ(ParsePairs(block(1, std::string("\xff\xff\xff\xff") + "a"), 10), std::nullopt);
  EXPECT_THAT(ParsePairs(block(1, pair), 10), Optional(Headers{{"a", "b"}}));
}

}  // namespace
}  // namespace bulkhead::spdy
