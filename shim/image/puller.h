#ifndef BULKHEAD_SHIM_IMAGE_PULLER_H_
#define BULKHEAD_SHIM_IMAGE_PULLER_H_

#include <string>

#include "absl/status/statusor.h"
#include "shim/image/image.h"
#include "shim/image/image_db.h"
#include "shim/image/image_service.h"
#include "shim/image/layer_ingester.h"
#include "shim/image/reference.h"
#include "shim/image/registry_client.h"

namespace bulkhead::image {

// Brings images from registries into the store. Thread-safe.
class Puller {
 public:
  Puller(ImageDb& db, LayerIngester& ingester, std::string certs_dir, int parallel_layers)
      : db_(db),
        ingester_(ingester),
        certs_dir_(std::move(certs_dir)),
        parallel_layers_(parallel_layers) {}

  absl::StatusOr<Image> Pull(const Reference& reference, const Auth& auth,
                             const CallLimits& limits);

 private:
  ImageDb& db_;
  LayerIngester& ingester_;
  const std::string certs_dir_;
  const int parallel_layers_;
};

}  // namespace bulkhead::image

#endif  // BULKHEAD_SHIM_IMAGE_PULLER_H_
