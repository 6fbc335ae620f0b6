#include "shim/cri/image_service.h"
#include "shim/cri/translate_image.h"

namespace bulkhead::cri {

namespace v1 = ::runtime::v1;

grpc::Status ImageService::RemoveImage(grpc::ServerContext* context,
                                       const v1::RemoveImageRequest* request,
                                       v1::RemoveImageResponse*) {
  return calls_.Serve(context->peer(), "RemoveImage", [&](CallRecord& call) -> absl::Status {
    const absl::StatusOr<std::string> name = ToImageName(request->image());
    if (!name.ok()) return name.status();
    call.image = *name;
    return backend_.images->Remove(*name);
  });
}

}  // namespace bulkhead::cri
