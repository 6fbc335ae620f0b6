#ifndef BULKHEAD_SHIM_DAEMON_DAEMON_H_
#define BULKHEAD_SHIM_DAEMON_DAEMON_H_

#include <memory>

#include "absl/status/statusor.h"
#include "shim/config/config.h"
#include "shim/cri/server.h"
#include "shim/daemon/directory_lock.h"
#include "shim/daemon/stream_target.h"
#include "shim/image/image_service.h"
#include "shim/metrics/server.h"
#include "shim/network/network.h"
#include "shim/pods/pod_service.h"
#include "shim/streaming/server.h"

namespace bulkhead::daemon {

// The services of one daemon, put together.
class Daemon {
 public:
  // Takes the state and data directories, recovers the pods of an earlier daemon and serves the
  // CRI from the time it returns. Errors are those of the part that failed, which is named.
  static absl::StatusOr<std::unique_ptr<Daemon>> Start(config::Config config);
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  // Lets calls in progress end, for as long as the configuration says. Pods run on.
  ~Daemon();

 private:
  explicit Daemon(config::Config config) : config_(std::move(config)) {}
  absl::Status LockDirectories();
  absl::Status OpenServices();
  void ServeMetrics();
  absl::Status Serve();

  // Each uses those above it and is destroyed before them.
  const config::Config config_;
  std::vector<DirectoryLock> locks_;
  std::unique_ptr<image::ImageService> images_;
  std::unique_ptr<network::Network> network_;
  std::unique_ptr<pods::PodService> pods_;
  std::unique_ptr<metrics::Server> metrics_;  // None where they are not served.
  std::unique_ptr<StreamTarget> stream_target_;
  std::unique_ptr<streaming::Server> streams_;
  std::unique_ptr<cri::Server> server_;
};

}  // namespace bulkhead::daemon

#endif  // BULKHEAD_SHIM_DAEMON_DAEMON_H_
