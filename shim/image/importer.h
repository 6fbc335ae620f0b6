#ifndef BULKHEAD_SHIM_IMAGE_IMPORTER_H_
#define BULKHEAD_SHIM_IMAGE_IMPORTER_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "shim/image/archive.h"
#include "shim/image/image.h"
#include "shim/image/image_db.h"
#include "shim/image/image_service.h"
#include "shim/image/layer_ingester.h"
#include "shim/image/layer_store.h"

namespace bulkhead::image {

// Brings images from archives into the store. Thread-safe.
class Importer {
 public:
  Importer(ImageDb& db, LayerStore& store, LayerIngester& ingester, UnpackLimits archive_limits,
           int parallel_layers)
      : db_(db),
        store_(store),
        ingester_(ingester),
        archive_limits_(archive_limits),
        parallel_layers_(parallel_layers) {}

  // See ImageService::Import.
  absl::StatusOr<std::vector<Image>> Import(const std::string& path,
                                            const std::vector<std::string>& names,
                                            const CallLimits& limits);

 private:
  absl::StatusOr<UniqueFd> UnpackArchive(UniqueFd file, const IngestDir& ingest,
                                         const CallLimits& limits) const;
  absl::StatusOr<std::vector<Image>> ImportAll(const Archive& archive,
                                               const std::vector<std::string>& names,
                                               const CallLimits& limits);
  absl::StatusOr<Image> ImportOne(const Archive& archive, const ArchivedImage& archived,
                                  const CallLimits& limits);

  ImageDb& db_;
  LayerStore& store_;
  LayerIngester& ingester_;
  const UnpackLimits archive_limits_;
  const int parallel_layers_;
};

}  // namespace bulkhead::image

#endif  // BULKHEAD_SHIM_IMAGE_IMPORTER_H_
