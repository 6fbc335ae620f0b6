// The RPCs that are not built yet. A client gets UNIMPLEMENTED, which the kubelet takes as "ask
// another way", with a sentence that says what is missing.

#include <string>

#include "absl/strings/str_cat.h"
#include "shim/cri/image_service.h"
#include "shim/cri/runtime_service.h"

namespace bulkhead::cri {
namespace {

namespace v1 = ::runtime::v1;

constexpr char kStats[] = "resource use is not measured";
constexpr char kMetrics[] = "metrics are not collected";
constexpr char kCheckpoint[] = "processes cannot be checkpointed";
constexpr char kLists[] = "lists are not streamed; ask for the whole list";

grpc::Status NotBuilt(const Calls& calls, const grpc::ServerContext& context, const char* method,
                      const char* what_is_missing) {
  return calls.Serve(context.peer(), method, [&](CallRecord&) {
    return absl::UnimplementedError(absl::StrCat(method, " is not built yet: ", what_is_missing));
  });
}

}  // namespace

grpc::Status RuntimeService::StreamPodSandboxes(
    grpc::ServerContext* context, const v1::StreamPodSandboxesRequest*,
    grpc::ServerWriter<v1::StreamPodSandboxesResponse>*) {
  return NotBuilt(calls_, *context, "StreamPodSandboxes", kLists);
}

grpc::Status RuntimeService::StreamContainers(grpc::ServerContext* context,
                                              const v1::StreamContainersRequest*,
                                              grpc::ServerWriter<v1::StreamContainersResponse>*) {
  return NotBuilt(calls_, *context, "StreamContainers", kLists);
}

grpc::Status RuntimeService::ContainerStats(grpc::ServerContext* context,
                                            const v1::ContainerStatsRequest*,
                                            v1::ContainerStatsResponse*) {
  return NotBuilt(calls_, *context, "ContainerStats", kStats);
}

grpc::Status RuntimeService::ListContainerStats(grpc::ServerContext* context,
                                                const v1::ListContainerStatsRequest*,
                                                v1::ListContainerStatsResponse*) {
  return NotBuilt(calls_, *context, "ListContainerStats", kStats);
}

grpc::Status RuntimeService::StreamContainerStats(
    grpc::ServerContext* context, const v1::StreamContainerStatsRequest*,
    grpc::ServerWriter<v1::StreamContainerStatsResponse>*) {
  return NotBuilt(calls_, *context, "StreamContainerStats", kStats);
}

grpc::Status RuntimeService::PodSandboxStats(grpc::ServerContext* context,
                                             const v1::PodSandboxStatsRequest*,
                                             v1::PodSandboxStatsResponse*) {
  return NotBuilt(calls_, *context, "PodSandboxStats", kStats);
}

grpc::Status RuntimeService::ListPodSandboxStats(grpc::ServerContext* context,
                                                 const v1::ListPodSandboxStatsRequest*,
                                                 v1::ListPodSandboxStatsResponse*) {
  return NotBuilt(calls_, *context, "ListPodSandboxStats", kStats);
}

grpc::Status RuntimeService::StreamPodSandboxStats(
    grpc::ServerContext* context, const v1::StreamPodSandboxStatsRequest*,
    grpc::ServerWriter<v1::StreamPodSandboxStatsResponse>*) {
  return NotBuilt(calls_, *context, "StreamPodSandboxStats", kStats);
}

grpc::Status RuntimeService::CheckpointContainer(grpc::ServerContext* context,
                                                 const v1::CheckpointContainerRequest*,
                                                 v1::CheckpointContainerResponse*) {
  return NotBuilt(calls_, *context, "CheckpointContainer", kCheckpoint);
}

grpc::Status RuntimeService::CheckpointPod(grpc::ServerContext* context,
                                           const v1::CheckpointPodRequest*,
                                           v1::CheckpointPodResponse*) {
  return NotBuilt(calls_, *context, "CheckpointPod", kCheckpoint);
}

grpc::Status RuntimeService::RestorePod(grpc::ServerContext* context, const v1::RestorePodRequest*,
                                        v1::RestorePodResponse*) {
  return NotBuilt(calls_, *context, "RestorePod", kCheckpoint);
}

grpc::Status RuntimeService::ListMetricDescriptors(grpc::ServerContext* context,
                                                   const v1::ListMetricDescriptorsRequest*,
                                                   v1::ListMetricDescriptorsResponse*) {
  return NotBuilt(calls_, *context, "ListMetricDescriptors", kMetrics);
}

grpc::Status RuntimeService::ListPodSandboxMetrics(grpc::ServerContext* context,
                                                   const v1::ListPodSandboxMetricsRequest*,
                                                   v1::ListPodSandboxMetricsResponse*) {
  return NotBuilt(calls_, *context, "ListPodSandboxMetrics", kMetrics);
}

grpc::Status RuntimeService::StreamPodSandboxMetrics(
    grpc::ServerContext* context, const v1::StreamPodSandboxMetricsRequest*,
    grpc::ServerWriter<v1::StreamPodSandboxMetricsResponse>*) {
  return NotBuilt(calls_, *context, "StreamPodSandboxMetrics", kMetrics);
}

grpc::Status ImageService::StreamImages(grpc::ServerContext* context,
                                        const v1::StreamImagesRequest*,
                                        grpc::ServerWriter<v1::StreamImagesResponse>*) {
  return NotBuilt(calls_, *context, "StreamImages", kLists);
}

}  // namespace bulkhead::cri
