#include <chrono>
#include <stop_token>
#include "shim/cri/image_service.h"

#include "absl/time/time.h"
#include "shim/cri/cancellable_call.h"
#include "shim/cri/request.h"
#include "shim/cri/translate_image.h"

namespace bulkhead::cri {

namespace v1 = ::runtime::v1;

namespace {

image::CallLimits LimitsOf(const grpc::CallbackServerContext& context, std::stop_token stop) {
  const auto deadline = context.deadline();
  const bool none = deadline == std::chrono::system_clock::time_point::max();
  return {.stop = std::move(stop),
          .deadline = none ? absl::InfiniteFuture() : absl::FromChrono(deadline)};
}

}  // namespace

grpc::ServerUnaryReactor* ImageService::PullImage(grpc::CallbackServerContext* context,
                                                  const v1::PullImageRequest* request,
                                                  v1::PullImageResponse* response) {
  return RunCancellable([this, context, request, response](std::stop_token stop) {
    return calls_.Serve(context->peer(), "PullImage", [&](CallRecord& call) -> absl::Status {
      const absl::StatusOr<std::string> name = ToImageName(request->image());
      if (!name.ok()) return name.status();
      call.image = *name;
      call.pod = PodName(request->sandbox_config());
      const absl::StatusOr<image::Image> image =
          backend_.images->Pull(*name, ToAuth(request->auth()), LimitsOf(*context, stop));
      if (!image.ok()) return image.status();
      response->set_image_ref(image->id);
      return absl::OkStatus();
    });
  });
}

}  // namespace bulkhead::cri
