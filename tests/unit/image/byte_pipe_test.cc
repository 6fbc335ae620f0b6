#include "shim/image/byte_pipe.h"

#include <thread>

#include "gtest/gtest.h"

namespace bulkhead::image {
namespace {

Chunk ChunkOf(std::string_view text) {
  Chunk chunk(text.size());
  chunk.Append(text);
  return chunk;
}

TEST(BytePipe, KeepsTheOrderAndEnds) {
  BytePipe pipe(4);
  std::jthread writer([&] {
    for (const char* text : {"a", "bc", "longer than the pipe", "d"}) {
      EXPECT_TRUE(pipe.Write(ChunkOf(text)).ok());
    }
    pipe.Close(absl::OkStatus());
  });
  std::string all;
  while (true) {
    auto chunk = pipe.Read();
    ASSERT_TRUE(chunk.ok());
    if (!*chunk) break;
    all += (*chunk)->view();
  }
  EXPECT_EQ(all, "abclonger than the piped");
}

TEST(BytePipe, GivesTheWritersErrorAfterItsBytes) {
  BytePipe pipe(100);
  ASSERT_TRUE(pipe.Write(ChunkOf("x")).ok());
  pipe.Close(absl::DataLossError("broken"));
  pipe.Close(absl::OkStatus());  // too late
  EXPECT_TRUE(pipe.Read()->has_value());
  EXPECT_TRUE(absl::IsDataLoss(pipe.Read().status()));
}

TEST(BytePipe, WakesAWriterWhoseReaderGaveUp) {
  BytePipe pipe(1);
  ASSERT_TRUE(pipe.Write(ChunkOf("x")).ok());
  std::jthread reader([&] { pipe.Abandon(); });
  EXPECT_TRUE(absl::IsCancelled(pipe.Write(ChunkOf("y"))));
}

}  // namespace
}  // namespace bulkhead::image
