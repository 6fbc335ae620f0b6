#ifndef BULKHEAD_SHIM_METRICS_ISOLATION_METRIC_H_
#define BULKHEAD_SHIM_METRICS_ISOLATION_METRIC_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "prometheus/collectable.h"
#include "prometheus/metric_family.h"
#include "shim/pods/pod_service.h"

namespace bulkhead::metrics {

// Running containers by what their isolation is beside their plans.
struct IsolationCounts {
  uint64_t as_planned = 0;
  uint64_t differs = 0;
  uint64_t unknown = 0;  // It could not be read, or no plan was kept.

  bool operator==(const IsolationCounts&) const = default;
};

// Reads the isolation of every running container from the kernel; some milliseconds for each. What
// differs is logged.
IsolationCounts CountIsolation(pods::PodService& pods);

// bulkhead_isolation_containers{result="as_planned"|"differs"|"unknown"}. Thread safe. Counts at
// most once in `pause`, and never twice at a time: a scrape beside a count that takes long gets
// what was counted before, and none of the metric when nothing was.
class IsolationMetric : public prometheus::Collectable {
 public:
  explicit IsolationMetric(std::function<IsolationCounts()> count,
                           std::chrono::milliseconds pause = std::chrono::seconds(5));

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  bool IsDue() const;  // With mutex_ held.

  const std::function<IsolationCounts()> count_;
  const std::chrono::milliseconds pause_;
  mutable std::mutex mutex_;
  mutable bool counting_ = false;
  mutable std::optional<IsolationCounts> counts_;
  mutable std::chrono::steady_clock::time_point counted_at_;
};

}  // namespace bulkhead::metrics

#endif  // BULKHEAD_SHIM_METRICS_ISOLATION_METRIC_H_
