#include "shim/daemon/daemon.h"

#include <glog/logging.h>

#include <thread>
#include <utility>

#include "absl/time/time.h"
#include "runtime/isolation/id_map.h"
#include "runtime/kernel/status.h"
#include "shim/config/print.h"
#include "shim/config/version.h"
#include "shim/daemon/call_log.h"
#include "shim/log/event.h"
#include "shim/metrics/isolation_counter.h"
#include "shim/metrics/isolation_metric.h"
#include "shim/policy/profile.h"

namespace bulkhead::daemon {

absl::StatusOr<std::unique_ptr<Daemon>> Daemon::Start(config::Config config) {
  std::unique_ptr<Daemon> daemon(new Daemon(std::move(config)));
  absl::Status status = daemon->LockDirectories();
  if (status.ok()) status = daemon->OpenServices();
  if (status.ok()) daemon->ServeMetrics();
  if (status.ok()) status = daemon->Serve();
  if (!status.ok()) return status;
  return daemon;
}

Daemon::~Daemon() {
  std::thread ending([this] { metrics_.reset(); });  // Takes seconds.
  if (server_ != nullptr) server_->Drain(absl::FromChrono(config_.daemon.drain_timeout));
  ending.join();
  streams_.reset();  // Its sessions use the pods, as what is counted did.
  if (pods_ != nullptr) pods_->Shutdown();
}

absl::Status Daemon::LockDirectories() {
  for (const std::string& directory : {config_.daemon.state_dir, config_.daemon.data_dir}) {
    absl::StatusOr<DirectoryLock> lock = DirectoryLock::Take(directory);
    if (!lock.ok()) return lock.status();
    locks_.push_back(*std::move(lock));
  }
  return absl::OkStatus();
}

absl::Status Daemon::OpenServices() {
  absl::StatusOr<std::unique_ptr<image::ImageService>> images =
      image::ImageService::Open({.data_dir = config::ImageDir(config_),
                                 .certs_dir = config_.image.certs_dir,
                                 .pinned = config_.image.pinned,
                                 .parallel_layers = config_.image.max_concurrent_downloads,
                                 .max_layer_bytes = config_.image.max_layer_size});
  if (!images.ok()) return Annotate(images.status(), "open the image store");
  images_ = *std::move(images);
  absl::StatusOr<std::unique_ptr<network::Network>> network =
      network::Network::Create({.config_dir = config_.cni.config_dir,
                                .plugin_dirs = config_.cni.plugin_dirs,
                                .record_dir = config::NetworkDir(config_),
                                .plugin_timeout = config_.cni.timeout});
  if (!network.ok()) return Annotate(network.status(), "open the network");
  network_ = *std::move(network);
  absl::StatusOr<std::unique_ptr<pods::PodService>> pods = pods::PodService::Open(
      {.config = &config_, .images = images_.get(), .network = network_.get()});
  if (!pods.ok()) return Annotate(pods.status(), "recover the pods");
  pods_ = *std::move(pods);
  stream_target_ = std::make_unique<StreamTarget>(*pods_);
  absl::StatusOr<std::unique_ptr<streaming::Server>> streams =
      streaming::Server::Start({.address = config_.streaming.address,
                                .port = config_.streaming.port,
                                .tls_certificate = config_.streaming.tls_certificate,
                                .tls_key = config_.streaming.tls_key,
                                .idle_timeout = config_.streaming.idle_timeout,
                                .creation_timeout = config_.streaming.creation_timeout},
                               *stream_target_);
  if (!streams.ok()) return Annotate(streams.status(), "serve streams");
  streams_ = *std::move(streams);
  return absl::OkStatus();
}

// A node is not to be lost for a port that is taken.
void Daemon::ServeMetrics() {
  if (config_.metrics.port == 0) return;
  const auto counter = std::make_shared<metrics::IsolationCounter>(*pods_);
  const auto isolation =
      std::make_shared<metrics::IsolationMetric>([counter] { return counter->Count(); });
  absl::StatusOr<std::unique_ptr<metrics::Server>> server = metrics::Server::Start(
      {.address = config_.metrics.address, .port = config_.metrics.port}, {isolation});
  LOG_IF(ERROR, !server.ok()) << Event("metrics are not served").With("reason", server.status());
  if (server.ok()) metrics_ = *std::move(server);
}

absl::Status Daemon::Serve() {
  cri::Backend backend = {.pods = pods_.get(),
                          .images = images_.get(),
                          .network = network_.get(),
                          .streams = streams_.get(),
                          .node = {}};
  backend.node.version = Version();
  backend.node.systemd_cgroup_driver = config_.cgroup.driver == "systemd";
  const absl::Status mapping = isolation::ProbeIdMapping(config_.daemon.data_dir);
  LOG_IF(WARNING, !mapping.ok()) << Event("no user namespaces for pods").With("reason", mapping);
  backend.node.handlers.clear();
  const policy::Profiles profiles(config_);
  for (const policy::Profile& profile : profiles.all()) {
    backend.node.handlers.push_back({.name = profile.handler, .user_namespaces = mapping.ok()});
  }
  backend.node.config_json = config::ToJson(config_);
  absl::StatusOr<std::unique_ptr<cri::Server>> server =
      cri::Server::Start({.socket = config_.daemon.socket, .socket_gid = config_.daemon.socket_gid},
                         std::move(backend), LogCall);
  if (!server.ok()) return Annotate(server.status(), "serve the CRI");
  server_ = *std::move(server);
  return absl::OkStatus();
}

}  // namespace bulkhead::daemon
