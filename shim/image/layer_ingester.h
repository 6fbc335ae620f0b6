#ifndef BULKHEAD_SHIM_IMAGE_LAYER_INGESTER_H_
#define BULKHEAD_SHIM_IMAGE_LAYER_INGESTER_H_

#include <condition_variable>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/kernel/fd.h"
#include "shim/image/digest.h"
#include "shim/image/image_db.h"
#include "shim/image/image_service.h"
#include "shim/image/layer_store.h"
#include "shim/image/unpack.h"

namespace bulkhead::image {

// A layer that an image needs, and where to get it.
struct LayerSource {
  Digest diff_id;
  std::string blob;  // digest of the archive as it is sent; "" for an operator's local archive
  BlobSource read;
};

// Gets layers into the store. A layer is unpacked once at a time within this process: who needs
// the same one waits, and then finds it there. Thread-safe.
class LayerIngester {
 public:
  LayerIngester(LayerStore& store, ImageDb& db, UnpackLimits limits)
      : store_(store), db_(db), limits_(limits) {}

  // A hold on the layer, which is read unless it is there. For a blob of a registry, a layer that
  // is there counts only if it was once made from this very blob: an image that claims the diff ID
  // of a layer gets it by showing the content, not by knowing the ID.
  absl::StatusOr<UniqueFd> Ensure(const LayerSource& source, const CallLimits& limits);

 private:
  absl::Status Enter(const Digest& diff_id, const CallLimits& limits);
  void Leave(const Digest& diff_id);
  absl::StatusOr<UniqueFd> EnsureAlone(const LayerSource& source);
  absl::StatusOr<UniqueFd> Ingest(const LayerSource& source);

  LayerStore& store_;
  ImageDb& db_;
  const UnpackLimits limits_;
  std::mutex mutex_;
  std::condition_variable_any left_;
  std::set<Digest> busy_;
};

}  // namespace bulkhead::image

#endif  // BULKHEAD_SHIM_IMAGE_LAYER_INGESTER_H_
