#ifndef BULKHEAD_SHIM_IMAGE_UNPACK_H_
#define BULKHEAD_SHIM_IMAGE_UNPACK_H_

#include <functional>
#include <string_view>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"
#include "shim/image/digest.h"
#include "shim/image/layer_writer.h"

namespace bulkhead::image {

using ByteSink = std::function<absl::Status(std::string_view)>;

// Gives the bytes of a blob to the sink, and OK only if they were all there and verified. Stops
// with the sink's error.
using BlobSource = std::function<absl::Status(const ByteSink&)>;

struct Unpacked {
  Digest diff_id;  // of the uncompressed archive
  DiskUse use;
};

// Unpacks a layer archive, compressed or not, into the directory `root`. Fetching, expanding and
// writing run at the same time, each in its own thread. After an error `root` is to be thrown away.
absl::StatusOr<Unpacked> UnpackLayer(const BlobSource& source, UniqueFd root, UnpackLimits limits);

// Runs `work` in a thread; RESOURCE_EXHAUSTED where there can be no more.
absl::StatusOr<std::jthread> StartThread(std::function<void()> work);

}  // namespace bulkhead::image

#endif  // BULKHEAD_SHIM_IMAGE_UNPACK_H_
