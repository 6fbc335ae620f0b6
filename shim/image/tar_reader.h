#ifndef BULKHEAD_SHIM_IMAGE_TAR_READER_H_
#define BULKHEAD_SHIM_IMAGE_TAR_READER_H_

#include <sys/types.h>
#include <time.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "shim/image/byte_pipe.h"

namespace bulkhead::image {

// The header of one member of an archive, as the archive says it: nothing here can be trusted.
struct TarEntry {
  std::string path;
  mode_t type = 0;  // S_IFREG, S_IFDIR …; 0 for a hard link
  mode_t permissions = 0;
  int64_t uid = 0;
  int64_t gid = 0;
  dev_t device = 0;
  uint64_t size = 0;  // of a regular file's content, holes included
  timespec mtime = {};
  std::string link;  // target of a symbolic or hard link
  bool is_hard_link = false;
  std::vector<std::pair<std::string, std::string>> xattrs;
};

// A piece of a file's content.
struct TarBlock {
  std::string_view bytes;  // valid until the next call
  uint64_t offset = 0;     // in the file; what no block covers is a hole
};

// Reads a tar stream (ustar, pax, GNU, with sparse files) through libarchive. Not thread-safe.
class TarReader {
 public:
  // Gives the next bytes of the stream, nothing at its end.
  using Source = std::function<absl::StatusOr<std::optional<Chunk>>()>;

  explicit TarReader(Source source);
  ~TarReader();
  TarReader(const TarReader&) = delete;
  TarReader& operator=(const TarReader&) = delete;

  // The next member, nothing after the last. INVALID_ARGUMENT for a malformed archive; the
  // source's own error if it failed.
  absl::StatusOr<std::optional<TarEntry>> Next();
  // The next piece of the content of the current member, nothing at its end.
  absl::StatusOr<std::optional<TarBlock>> NextBlock();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bulkhead::image

#endif  // BULKHEAD_SHIM_IMAGE_TAR_READER_H_
