#include "shim/cri/image_service.h"
#include "shim/cri/translate_image.h"

namespace bulkhead::cri {

namespace v1 = ::runtime::v1;

grpc::Status ImageService::ListImages(grpc::ServerContext* context,
                                      const v1::ListImagesRequest* request,
                                      v1::ListImagesResponse* response) {
  return calls_.Serve(context->peer(), "ListImages", [&](CallRecord& call) -> absl::Status {
    call.image = request->filter().image().image();
    const absl::StatusOr<std::vector<image::Image>> images = backend_.images->List(call.image);
    if (!images.ok()) return images.status();
    for (const image::Image& image : *images) *response->add_images() = FromImage(image);
    return absl::OkStatus();
  });
}

}  // namespace bulkhead::cri
