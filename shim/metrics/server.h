#ifndef BULKHEAD_SHIM_METRICS_SERVER_H_
#define BULKHEAD_SHIM_METRICS_SERVER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "prometheus/collectable.h"
#include "prometheus/exposer.h"

namespace bulkhead::metrics {

// Serves metrics at /metrics over HTTP, in Prometheus' text form.
class Server {
 public:
  struct Options {
    std::string address;  // IPv4 or IPv6.
    uint16_t port = 0;
  };

  // From its return on. UNAVAILABLE, naming the address, when it cannot listen there. All scrapes
  // wait while one is answered (prometheus-cpp 1.0), so that nothing collected may take long. The
  // end takes up to two seconds (civetweb 1.15).
  static absl::StatusOr<std::unique_ptr<Server>> Start(
      const Options& options, std::vector<std::shared_ptr<prometheus::Collectable>> collected);

 private:
  explicit Server(std::vector<std::shared_ptr<prometheus::Collectable>> collected);

  // Outlives the exposer, which holds it weakly.
  const std::vector<std::shared_ptr<prometheus::Collectable>> collected_;
  std::unique_ptr<prometheus::Exposer> exposer_;
};

}  // namespace bulkhead::metrics

#endif  // BULKHEAD_SHIM_METRICS_SERVER_H_
