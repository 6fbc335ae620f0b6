#ifndef BULKHEAD_TESTS_CONFORMANCE_CLIENT_CLIENT_H_
#define BULKHEAD_TESTS_CONFORMANCE_CLIENT_CLIENT_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/cri/api.pb.h"

namespace bulkhead::client {

namespace v1 = ::runtime::v1;

// What a call may be given besides its request.
struct CallOptions {
  // When it passes, the client leaves and the call returns DEADLINE_EXCEEDED.
  std::chrono::milliseconds deadline = std::chrono::minutes(4);  // The kubelet's for RunPodSandbox.
};

// The answer of ExecSync.
struct ExecResult {
  std::string standard_output;
  std::string standard_error;
  int32_t exit_code = 0;
};

class EventStream;

// A CRI client, for any runtime's socket. Errors carry the code and the text of the server; a
// server that cannot be reached is UNAVAILABLE. Thread safe.
class Client {
 public:
  // `endpoint` is a path or unix:// followed by one. Waits up to `patience` for the server.
  static absl::StatusOr<std::unique_ptr<Client>> Connect(const std::string& endpoint,
                                                         std::chrono::milliseconds patience);
  ~Client();

  const std::string& endpoint() const { return endpoint_; }

  absl::StatusOr<v1::VersionResponse> Version();
  absl::StatusOr<v1::StatusResponse> Status(bool verbose = false);
  absl::StatusOr<v1::RuntimeConfigResponse> RuntimeConfig();
  absl::Status UpdateRuntimeConfig(const std::string& pod_cidr);

  absl::StatusOr<std::string> RunPodSandbox(const v1::PodSandboxConfig& config,
                                            const std::string& handler = "",
                                            CallOptions options = {});
  absl::Status UpdatePodSandboxResources(const std::string& id,
                                         const v1::LinuxContainerResources& overhead,
                                         const v1::LinuxContainerResources& resources);
  absl::Status StopPodSandbox(const std::string& id, CallOptions options = {});
  absl::Status RemovePodSandbox(const std::string& id, CallOptions options = {});
  absl::StatusOr<v1::PodSandboxStatusResponse> PodSandboxStatus(const std::string& id,
                                                                bool verbose = false);
  absl::StatusOr<std::vector<v1::PodSandbox>> ListPodSandbox(
      const v1::PodSandboxFilter& filter = {});

  // `pod_config` is the configuration that the pod was run with, as the kubelet sends it again.
  absl::StatusOr<std::string> CreateContainer(const std::string& pod_id,
                                              const v1::ContainerConfig& config,
                                              const v1::PodSandboxConfig& pod_config,
                                              CallOptions options = {});
  absl::Status StartContainer(const std::string& id, CallOptions options = {});
  absl::Status StopContainer(const std::string& id, std::chrono::seconds grace,
                             CallOptions options = {});
  absl::Status RemoveContainer(const std::string& id, CallOptions options = {});
  absl::StatusOr<v1::ContainerStatusResponse> ContainerStatus(const std::string& id,
                                                              bool verbose = false);
  absl::StatusOr<std::vector<v1::Container>> ListContainers(const v1::ContainerFilter& filter = {});
  absl::Status UpdateContainerResources(const std::string& id,
                                        const v1::LinuxContainerResources& resources);
  absl::Status ReopenContainerLog(const std::string& id);
  // `timeout` 0 is none.
  absl::StatusOr<ExecResult> ExecSync(const std::string& id,
                                      const std::vector<std::string>& command,
                                      std::chrono::seconds timeout = {}, CallOptions options = {});

  // Each returns a URL.
  absl::StatusOr<std::string> Exec(const v1::ExecRequest& request);
  absl::StatusOr<std::string> Attach(const v1::AttachRequest& request);
  absl::StatusOr<std::string> PortForward(const v1::PortForwardRequest& request);

  absl::StatusOr<std::vector<v1::Image>> ListImages(const std::string& filter = "");
  // An answer without an image when it is not there.
  absl::StatusOr<v1::ImageStatusResponse> ImageStatus(const std::string& image,
                                                      bool verbose = false);
  // Returns the image's reference.
  absl::StatusOr<std::string> PullImage(const std::string& image, const v1::AuthConfig& auth = {},
                                        CallOptions options = {});
  absl::Status RemoveImage(const std::string& image);
  absl::StatusOr<v1::ImageFsInfoResponse> ImageFsInfo();

  // Subscribed when it returns; must not outlive the client.
  std::unique_ptr<EventStream> Events();

 private:
  struct Stubs;

  template <typename Response, typename Stub, typename Request, typename Method>
  absl::StatusOr<Response> Call(Stub& stub, Method method, const Request& request,
                                CallOptions options = {});

  explicit Client(std::string endpoint);

  std::string endpoint_;
  std::unique_ptr<Stubs> stubs_;
};

}  // namespace bulkhead::client

#endif  // BULKHEAD_TESTS_CONFORMANCE_CLIENT_CLIENT_H_
