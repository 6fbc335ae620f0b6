#include "absl/time/clock.h"
#include "shim/cri/image_service.h"
#include "shim/cri/translate_image.h"

namespace bulkhead::cri {

namespace v1 = ::runtime::v1;

grpc::Status ImageService::ImageFsInfo(grpc::ServerContext* context, const v1::ImageFsInfoRequest*,
                                       v1::ImageFsInfoResponse* response) {
  return calls_.Serve(context->peer(), "ImageFsInfo", [&](CallRecord&) -> absl::Status {
    const absl::StatusOr<image::FsUsage> usage = backend_.images->Usage();
    if (!usage.ok()) return usage.status();
    const v1::FilesystemUsage filesystem = FromUsage(*usage, absl::Now());
    *response->add_image_filesystems() = filesystem;
    // Writable layers lie beside the images. The kubelet compares the mount points of the two to
    // learn that, and reads the figures of the first.
    *response->add_container_filesystems() = filesystem;
    return absl::OkStatus();
  });
}

}  // namespace bulkhead::cri
