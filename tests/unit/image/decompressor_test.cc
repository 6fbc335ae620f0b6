#include "shim/image/decompressor.h"

#include <isa-l/igzip_lib.h>
#include <zstd.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace bulkhead::image {
namespace {

// Text that compresses, yet not to nothing.
std::string Sample(size_t size) {
  std::string text;
  for (int i = 0; text.size() < size; ++i) text += std::to_string(i * 7919) + "\n";
  return text;
}

std::string Gzip(const std::string& text) {
  std::string output(text.size() + 4096, '\0');
  isal_zstream stream;
  isal_deflate_init(&stream);
  stream.gzip_flag = IGZIP_GZIP;
  stream.end_of_stream = 1;
  stream.next_in = reinterpret_cast<uint8_t*>(const_cast<char*>(text.data()));
  stream.avail_in = text.size();
  stream.next_out = reinterpret_cast<uint8_t*>(output.data());
  stream.avail_out = output.size();
  EXPECT_EQ(isal_deflate(&stream), COMP_OK);
  output.resize(stream.total_out);
  return output;
}

std::string Zstd(const std::string& text) {
  std::string output(ZSTD_compressBound(text.size()), '\0');
  output.resize(ZSTD_compress(output.data(), output.size(), text.data(), text.size(), 1));
  return output;
}

// What `bytes` expand to when they come in pieces of `piece`; "error" if they do not.
std::string Expand(const std::string& bytes, size_t piece) {
  const auto decompressor = NewDecompressor();
  std::string all;
  const ChunkSink sink = [&](Chunk chunk) {
    all += chunk.view();
    return absl::OkStatus();
  };
  for (size_t i = 0; i < bytes.size(); i += piece) {
    const std::string_view part = std::string_view(bytes).substr(i, piece);
    if (!decompressor->Feed(part, sink).ok()) return "error";
  }
  return decompressor->Finish(sink).ok() ? all : "error";
}

TEST(Decompressor, ExpandsEveryFormatHoweverItIsCut) {
  // Byte by byte with little, since each call has a buffer of its own; else with more than fits.
  for (const auto& [piece, size] :
       {std::pair<size_t, size_t>{1, 20'000}, {7, 100'000}, {65536, 1 << 20}, {1 << 24, 1 << 20}}) {
    const std::string text = Sample(size);
    EXPECT_EQ(Expand(Gzip(text), piece), text) << piece;
    EXPECT_EQ(Expand(Zstd(text), piece), text) << piece;
    EXPECT_EQ(Expand(text, piece), text) << piece;
  }
}

TEST(Decompressor, GoesOnWithTheNextMemberOrFrame) {
  for (const size_t piece : {size_t{1}, size_t{1} << 20}) {
    EXPECT_EQ(Expand(Gzip("one ") + Gzip("") + Gzip("two"), piece), "one two");
    EXPECT_EQ(Expand(Zstd("one ") + Zstd("two"), piece), "one two");
  }
}

TEST(Decompressor, TakesStreamsShorterThanAMagicNumber) {
  EXPECT_EQ(Expand("", 1), "");
  EXPECT_EQ(Expand("abc", 1), "abc");
}

TEST(Decompressor, RefusesEveryTruncation) {
  const std::string gzip = Gzip("some text that is long enough to be cut");
  const std::string zstd = Zstd("some text that is long enough to be cut");
  for (size_t size = 4; size < gzip.size(); ++size) {
    EXPECT_EQ(Expand(gzip.substr(0, size), 3), "error") << size;
  }
  for (size_t size = 4; size < zstd.size(); ++size) {
    EXPECT_EQ(Expand(zstd.substr(0, size), 3), "error") << size;
  }
}

TEST(Decompressor, RefusesWrongChecksumsAndWhatFollows) {
  std::string gzip = Gzip("text");
  gzip[gzip.size() - 5] ^= 1;
  EXPECT_EQ(Expand(gzip, 1), "error");
  EXPECT_EQ(Expand(Gzip("text") + "more", 1), "error");
  EXPECT_EQ(Expand(Zstd("text") + "more", 1), "error");
}

}  // namespace
}  // namespace bulkhead::image
