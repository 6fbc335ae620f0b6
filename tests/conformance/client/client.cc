#include "tests/conformance/client/client.h"

#include <grpcpp/grpcpp.h>

#include <utility>

#include "proto/cri/api.grpc.pb.h"
#include "tests/conformance/client/event_stream.h"

namespace bulkhead::client {
namespace {

// What the kubelet allows; a larger answer fails there too.
constexpr int kMaxMessage = 16 * 1024 * 1024;

absl::Status ToAbsl(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

std::string Target(const std::string& endpoint) {
  return endpoint.starts_with("/") ? "unix://" + endpoint : endpoint;
}

grpc::ChannelArguments Arguments() {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessage);
  // A restarted server shall be found at once.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 200);
  // Each client has its connection, as different kubelets would.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, "localhost");
  return arguments;
}

template <typename Message>
absl::Status StatusOf(const absl::StatusOr<Message>& response) {
  return response.status();
}

template <typename Item, typename Items>
std::vector<Item> ToVector(const Items& items) {
  return std::vector<Item>(items.begin(), items.end());
}

}  // namespace

struct Client::Stubs {
  std::shared_ptr<grpc::Channel> channel;
  v1::RuntimeService::Stub runtime;
  v1::ImageService::Stub image;
};

using Runtime = v1::RuntimeService::Stub;
using Image = v1::ImageService::Stub;

Client::Client(std::string endpoint) : endpoint_(std::move(endpoint)) {
  auto channel =
      grpc::CreateCustomChannel(Target(endpoint_), grpc::InsecureChannelCredentials(), Arguments());
  stubs_.reset(new Stubs{channel, Runtime(channel), Image(channel)});
}

Client::~Client() = default;

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(const std::string& endpoint,
                                                        std::chrono::milliseconds patience) {
  std::unique_ptr<Client> client(new Client(endpoint));
  if (client->stubs_->channel->WaitForConnected(std::chrono::system_clock::now() + patience)) {
    return client;
  }
  return absl::UnavailableError("no CRI server answers at " + endpoint);
}

template <typename Response, typename Stub, typename Request, typename Method>
absl::StatusOr<Response> Client::Call(Stub& stub, Method method, const Request& request,
                                      CallOptions options) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + options.deadline);
  Response response;
  absl::Status status = ToAbsl((stub.*method)(&context, request, &response));
  if (!status.ok()) return status;
  return response;
}

absl::StatusOr<v1::VersionResponse> Client::Version() {
  return Call<v1::VersionResponse>(stubs_->runtime, &Runtime::Version, v1::VersionRequest());
}

absl::StatusOr<v1::StatusResponse> Client::Status(bool verbose) {
  v1::StatusRequest request;
  request.set_verbose(verbose);
  return Call<v1::StatusResponse>(stubs_->runtime, &Runtime::Status, request);
}

absl::StatusOr<v1::RuntimeConfigResponse> Client::RuntimeConfig() {
  return Call<v1::RuntimeConfigResponse>(stubs_->runtime, &Runtime::RuntimeConfig,
                                         v1::RuntimeConfigRequest());
}

absl::Status Client::UpdateRuntimeConfig(const std::string& pod_cidr) {
  v1::UpdateRuntimeConfigRequest request;
  request.mutable_runtime_config()->mutable_network_config()->set_pod_cidr(pod_cidr);
  return StatusOf(Call<v1::UpdateRuntimeConfigResponse>(stubs_->runtime,
                                                        &Runtime::UpdateRuntimeConfig, request));
}

absl::StatusOr<std::string> Client::RunPodSandbox(const v1::PodSandboxConfig& config,
                                                  const std::string& handler, CallOptions options) {
  v1::RunPodSandboxRequest request;
  *request.mutable_config() = config;
  request.set_runtime_handler(handler);
  auto response =
      Call<v1::RunPodSandboxResponse>(stubs_->runtime, &Runtime::RunPodSandbox, request, options);
  if (!response.ok()) return response.status();
  return response->pod_sandbox_id();
}

absl::Status Client::StopPodSandbox(const std::string& id, CallOptions options) {
  v1::StopPodSandboxRequest request;
  request.set_pod_sandbox_id(id);
  return StatusOf(Call<v1::StopPodSandboxResponse>(stubs_->runtime, &Runtime::StopPodSandbox,
                                                   request, options));
}

absl::Status Client::RemovePodSandbox(const std::string& id, CallOptions options) {
  v1::RemovePodSandboxRequest request;
  request.set_pod_sandbox_id(id);
  return StatusOf(Call<v1::RemovePodSandboxResponse>(stubs_->runtime, &Runtime::RemovePodSandbox,
                                                     request, options));
}

absl::StatusOr<v1::PodSandboxStatusResponse> Client::PodSandboxStatus(const std::string& id,
                                                                      bool verbose) {
  v1::PodSandboxStatusRequest request;
  request.set_pod_sandbox_id(id);
  request.set_verbose(verbose);
  return Call<v1::PodSandboxStatusResponse>(stubs_->runtime, &Runtime::PodSandboxStatus, request);
}

absl::StatusOr<std::vector<v1::PodSandbox>> Client::ListPodSandbox(
    const v1::PodSandboxFilter& filter) {
  v1::ListPodSandboxRequest request;
  *request.mutable_filter() = filter;
  auto response =
      Call<v1::ListPodSandboxResponse>(stubs_->runtime, &Runtime::ListPodSandbox, request);
  if (!response.ok()) return response.status();
  return ToVector<v1::PodSandbox>(response->items());
}

absl::StatusOr<std::string> Client::CreateContainer(const std::string& pod_id,
                                                    const v1::ContainerConfig& config,
                                                    const v1::PodSandboxConfig& pod_config,
                                                    CallOptions options) {
  v1::CreateContainerRequest request;
  request.set_pod_sandbox_id(pod_id);
  *request.mutable_config() = config;
  *request.mutable_sandbox_config() = pod_config;
  auto response = Call<v1::CreateContainerResponse>(stubs_->runtime, &Runtime::CreateContainer,
                                                    request, options);
  if (!response.ok()) return response.status();
  return response->container_id();
}

absl::Status Client::StartContainer(const std::string& id, CallOptions options) {
  v1::StartContainerRequest request;
  request.set_container_id(id);
  return StatusOf(Call<v1::StartContainerResponse>(stubs_->runtime, &Runtime::StartContainer,
                                                   request, options));
}

absl::Status Client::StopContainer(const std::string& id, std::chrono::seconds grace,
                                   CallOptions options) {
  v1::StopContainerRequest request;
  request.set_container_id(id);
  request.set_timeout(grace.count());
  return StatusOf(
      Call<v1::StopContainerResponse>(stubs_->runtime, &Runtime::StopContainer, request, options));
}

absl::Status Client::RemoveContainer(const std::string& id, CallOptions options) {
  v1::RemoveContainerRequest request;
  request.set_container_id(id);
  return StatusOf(Call<v1::RemoveContainerResponse>(stubs_->runtime, &Runtime::RemoveContainer,
                                                    request, options));
}

absl::StatusOr<v1::ContainerStatusResponse> Client::ContainerStatus(const std::string& id,
                                                                    bool verbose) {
  v1::ContainerStatusRequest request;
  request.set_container_id(id);
  request.set_verbose(verbose);
  return Call<v1::ContainerStatusResponse>(stubs_->runtime, &Runtime::ContainerStatus, request);
}

absl::StatusOr<std::vector<v1::Container>> Client::ListContainers(
    const v1::ContainerFilter& filter) {
  v1::ListContainersRequest request;
  *request.mutable_filter() = filter;
  auto response =
      Call<v1::ListContainersResponse>(stubs_->runtime, &Runtime::ListContainers, request);
  if (!response.ok()) return response.status();
  return ToVector<v1::Container>(response->containers());
}

absl::Status Client::UpdatePodSandboxResources(const std::string& id,
                                               const v1::LinuxContainerResources& overhead,
                                               const v1::LinuxContainerResources& resources) {
  v1::UpdatePodSandboxResourcesRequest request;
  request.set_pod_sandbox_id(id);
  *request.mutable_overhead() = overhead;
  *request.mutable_resources() = resources;
  return StatusOf(Call<v1::UpdatePodSandboxResourcesResponse>(
      stubs_->runtime, &Runtime::UpdatePodSandboxResources, request));
}

absl::Status Client::UpdateContainerResources(const std::string& id,
                                              const v1::LinuxContainerResources& resources) {
  v1::UpdateContainerResourcesRequest request;
  request.set_container_id(id);
  *request.mutable_linux() = resources;
  return StatusOf(Call<v1::UpdateContainerResourcesResponse>(
      stubs_->runtime, &Runtime::UpdateContainerResources, request));
}

absl::Status Client::ReopenContainerLog(const std::string& id) {
  v1::ReopenContainerLogRequest request;
  request.set_container_id(id);
  return StatusOf(
      Call<v1::ReopenContainerLogResponse>(stubs_->runtime, &Runtime::ReopenContainerLog, request));
}

absl::StatusOr<ExecResult> Client::ExecSync(const std::string& id,
                                            const std::vector<std::string>& command,
                                            std::chrono::seconds timeout, CallOptions options) {
  v1::ExecSyncRequest request;
  request.set_container_id(id);
  request.set_timeout(timeout.count());
  for (const std::string& argument : command) request.add_cmd(argument);
  auto response = Call<v1::ExecSyncResponse>(stubs_->runtime, &Runtime::ExecSync, request, options);
  if (!response.ok()) return response.status();
  return ExecResult{response->stdout(), response->stderr(), response->exit_code()};
}

absl::StatusOr<std::string> Client::Exec(const v1::ExecRequest& request) {
  const auto response = Call<v1::ExecResponse>(stubs_->runtime, &Runtime::Exec, request);
  if (!response.ok()) return response.status();
  return response->url();
}

absl::StatusOr<std::string> Client::Attach(const v1::AttachRequest& request) {
  const auto response = Call<v1::AttachResponse>(stubs_->runtime, &Runtime::Attach, request);
  if (!response.ok()) return response.status();
  return response->url();
}

absl::StatusOr<std::string> Client::PortForward(const v1::PortForwardRequest& request) {
  const auto response =
      Call<v1::PortForwardResponse>(stubs_->runtime, &Runtime::PortForward, request);
  if (!response.ok()) return response.status();
  return response->url();
}

absl::StatusOr<std::vector<v1::Image>> Client::ListImages(const std::string& filter) {
  v1::ListImagesRequest request;
  if (!filter.empty()) request.mutable_filter()->mutable_image()->set_image(filter);
  auto response = Call<v1::ListImagesResponse>(stubs_->image, &Image::ListImages, request);
  if (!response.ok()) return response.status();
  return ToVector<v1::Image>(response->images());
}

absl::StatusOr<v1::ImageStatusResponse> Client::ImageStatus(const std::string& image,
                                                            bool verbose) {
  v1::ImageStatusRequest request;
  request.mutable_image()->set_image(image);
  request.set_verbose(verbose);
  return Call<v1::ImageStatusResponse>(stubs_->image, &Image::ImageStatus, request);
}

absl::StatusOr<std::string> Client::PullImage(const std::string& image, const v1::AuthConfig& auth,
                                              CallOptions options) {
  v1::PullImageRequest request;
  request.mutable_image()->set_image(image);
  if (auth.ByteSizeLong() > 0) *request.mutable_auth() = auth;
  auto response = Call<v1::PullImageResponse>(stubs_->image, &Image::PullImage, request, options);
  if (!response.ok()) return response.status();
  return response->image_ref();
}

absl::Status Client::RemoveImage(const std::string& image) {
  v1::RemoveImageRequest request;
  request.mutable_image()->set_image(image);
  return StatusOf(Call<v1::RemoveImageResponse>(stubs_->image, &Image::RemoveImage, request));
}

absl::StatusOr<v1::ImageFsInfoResponse> Client::ImageFsInfo() {
  return Call<v1::ImageFsInfoResponse>(stubs_->image, &Image::ImageFsInfo,
                                       v1::ImageFsInfoRequest());
}

std::unique_ptr<EventStream> Client::Events() {
  return std::make_unique<EventStream>(stubs_->runtime);
}

}  // namespace bulkhead::client
