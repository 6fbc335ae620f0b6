#include "shim/cri/image_service.h"
#include "shim/cri/translate_image.h"

namespace bulkhead::cri {

namespace v1 = ::runtime::v1;

grpc::Status ImageService::ImageStatus(grpc::ServerContext* context,
                                       const v1::ImageStatusRequest* request,
                                       v1::ImageStatusResponse* response) {
  return calls_.Serve(context->peer(), "ImageStatus", [&](CallRecord& call) -> absl::Status {
    const absl::StatusOr<std::string> name = ToImageName(request->image());
    if (!name.ok()) return name.status();
    call.image = *name;
    const absl::StatusOr<std::optional<image::Image>> image = backend_.images->Find(*name);
    if (!image.ok()) return image.status();
    if (!image->has_value()) return absl::OkStatus();
    *response->mutable_image() = FromImage(**image);
    if (request->verbose()) (*response->mutable_info())["info"] = ImageInfo(**image);
    return absl::OkStatus();
  });
}

}  // namespace bulkhead::cri
