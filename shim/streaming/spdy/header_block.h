#ifndef BULKHEAD_SHIM_STREAMING_SPDY_HEADER_BLOCK_H_
#define BULKHEAD_SHIM_STREAMING_SPDY_HEADER_BLOCK_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct z_stream_s;

namespace bulkhead::spdy {

// Names in lower case, each at most once; several values of one name are one with NULs between.
using Headers = std::vector<std::pair<std::string, std::string>>;

// Null when there is none of that name.
const std::string* Find(const Headers& headers, std::string_view name);

struct HeaderLimits {
  size_t inflated_bytes = 16 * 1024;  // Of one block; far above what its pairs need.
  size_t pairs = 64;
};

// The pairs of a block that is not compressed; nullopt when it is malformed or has too many.
std::optional<Headers> ParsePairs(std::string_view block, size_t max_pairs);
std::string WritePairs(const Headers& headers);

// Reads the header blocks of one direction of a session, all in their order, because they are one
// zlib stream. After a failure the two ends' dictionaries differ: the session is lost.
class HeaderReader {
 public:
  explicit HeaderReader(const HeaderLimits& limits = {});
  ~HeaderReader();
  HeaderReader(HeaderReader&&) noexcept;
  HeaderReader& operator=(HeaderReader&&) noexcept;

  // nullopt: malformed or beyond a limit; more than the limits are never inflated.
  std::optional<Headers> Read(std::string_view block);

 private:
  std::optional<std::string> Inflate(std::string_view block);

  HeaderLimits limits_;
  std::unique_ptr<z_stream_s> zlib_;  // Null until the first block, and after a failure.
  bool failed_ = false;
};

// Writes the blocks of the other direction.
class HeaderWriter {
 public:
  HeaderWriter();
  ~HeaderWriter();
  HeaderWriter(HeaderWriter&&) noexcept;
  HeaderWriter& operator=(HeaderWriter&&) noexcept;

  std::string Write(const Headers& headers);

 private:
  std::unique_ptr<z_stream_s> zlib_;  // Null until the first block.
};

}  // namespace bulkhead::spdy

#endif  // BULKHEAD_SHIM_STREAMING_SPDY_HEADER_BLOCK_H_
