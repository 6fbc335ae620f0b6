#ifndef BULKHEAD_SHIM_IMAGE_IMAGE_BUILDER_H_
#define BULKHEAD_SHIM_IMAGE_IMAGE_BUILDER_H_

#include <stop_token>
#include <vector>

#include "absl/status/statusor.h"
#include "shim/image/image.h"
#include "shim/image/image_db.h"
#include "shim/image/image_service.h"
#include "shim/image/layer_ingester.h"

namespace bulkhead::image {

// Makes an image of a record and the sources of its layers (bottom first, one for each diff ID):
// all layers in `parallel` threads, then the record, while every layer is held. The first failure
// asks `abort` to stop, which the sources watch. Errors leave complete layers behind, which no
// image needs and which are collected as such.
absl::StatusOr<Image> BuildImage(const ImageRecord& record, const std::vector<LayerSource>& layers,
                                 int parallel, LayerIngester& ingester, ImageDb& db,
                                 std::stop_source abort, absl::Time deadline);

}  // namespace bulkhead::image

#endif  // BULKHEAD_SHIM_IMAGE_IMAGE_BUILDER_H_
