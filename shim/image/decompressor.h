#ifndef BULKHEAD_SHIM_IMAGE_DECOMPRESSOR_H_
#define BULKHEAD_SHIM_IMAGE_DECOMPRESSOR_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "shim/image/byte_pipe.h"

namespace bulkhead::image {

using ChunkSink = std::function<absl::Status(Chunk)>;

// Expands a stream in pieces. Not thread-safe.
class Decompressor {
 public:
  virtual ~Decompressor() = default;
  // Gives `sink` what `bytes` expand to; an error of the sink ends the call with it.
  // INVALID_ARGUMENT for a malformed stream.
  virtual absl::Status Feed(std::string_view bytes, const ChunkSink& sink) = 0;
  // After the last Feed: INVALID_ARGUMENT when the stream is cut short.
  virtual absl::Status Finish(const ChunkSink& sink) = 0;
};

// Gzip, zstd or neither, by the first bytes of the stream: media types in the field are often
// wrong about compression, magic numbers are not.
std::unique_ptr<Decompressor> NewDecompressor();

std::unique_ptr<Decompressor> NewGzipDecompressor();
std::unique_ptr<Decompressor> NewZstdDecompressor();
std::unique_ptr<Decompressor> NewPlainDecompressor();

}  // namespace bulkhead::image

#endif  // BULKHEAD_SHIM_IMAGE_DECOMPRESSOR_H_
