#ifndef BULKHEAD_SHIM_CRI_IMAGE_SERVICE_H_
#define BULKHEAD_SHIM_CRI_IMAGE_SERVICE_H_

#include "proto/cri/api.grpc.pb.h"
#include "shim/cri/backend.h"
#include "shim/cri/calls.h"

namespace bulkhead::cri {

// The CRI's ImageService, as RuntimeService is the other one. PullImage uses gRPC's callback
// interface, so that a pull ends when its client leaves. Thread safe.
class ImageService final : public ::runtime::v1::ImageService::WithCallbackMethod_PullImage<
                               ::runtime::v1::ImageService::Service> {
 public:
  // Both outlive the service.
  ImageService(const Backend& backend, const Calls& calls) : backend_(backend), calls_(calls) {}

  grpc::Status ListImages(grpc::ServerContext* context,
                          const ::runtime::v1::ListImagesRequest* request,
                          ::runtime::v1::ListImagesResponse* response) override;
  grpc::Status ImageStatus(grpc::ServerContext* context,
                           const ::runtime::v1::ImageStatusRequest* request,
                           ::runtime::v1::ImageStatusResponse* response) override;
  grpc::ServerUnaryReactor* PullImage(grpc::CallbackServerContext* context,
                                      const ::runtime::v1::PullImageRequest* request,
                                      ::runtime::v1::PullImageResponse* response) override;
  grpc::Status RemoveImage(grpc::ServerContext* context,
                           const ::runtime::v1::RemoveImageRequest* request,
                           ::runtime::v1::RemoveImageResponse* response) override;
  grpc::Status ImageFsInfo(grpc::ServerContext* context,
                           const ::runtime::v1::ImageFsInfoRequest* request,
                           ::runtime::v1::ImageFsInfoResponse* response) override;

  // Not built yet: UNIMPLEMENTED with what is missing.
  grpc::Status StreamImages(
      grpc::ServerContext* context, const ::runtime::v1::StreamImagesRequest* request,
      grpc::ServerWriter<::runtime::v1::StreamImagesResponse>* writer) override;

 private:
  const Backend& backend_;
  const Calls& calls_;
};

}  // namespace bulkhead::cri

#endif  // BULKHEAD_SHIM_CRI_IMAGE_SERVICE_H_
