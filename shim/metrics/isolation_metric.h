#ifndef BULKHEAD_SHIM_METRICS_ISOLATION_METRIC_H_
#define BULKHEAD_SHIM_METRICS_ISOLATION_METRIC_H_

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "prometheus/collectable.h"
#include "prometheus/metric_family.h"
#include "shim/metrics/isolation_counter.h"

namespace bulkhead::metrics {

// bulkhead_isolation_containers{result="as_planned"|"differs"|"unknown"}, and when they were
// counted. Thread safe. Counts on a thread of its own, when it is asked and at most once in
// `pause`. Who asks waits for that no longer than `patience`: what a container's file system keeps
// waiting is the count alone, and its age tells.
class IsolationMetric : public prometheus::Collectable {
 public:
  explicit IsolationMetric(std::function<IsolationCounts()> count,
                           std::chrono::milliseconds pause = std::chrono::seconds(5),
                           std::chrono::milliseconds patience = std::chrono::seconds(2));
  // Waits for a count in progress.
  ~IsolationMetric() override;

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  void Run();
  bool IsDue() const;  // With mutex_ held.

  const std::function<IsolationCounts()> count_;
  const std::chrono::milliseconds pause_;
  const std::chrono::milliseconds patience_;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  mutable bool wanted_ = false;  // Until it was counted.
  bool ending_ = false;
  std::optional<IsolationCounts> counts_;
  std::chrono::system_clock::time_point counted_at_;
  std::thread thread_;  // Uses all of the above.
};

}  // namespace bulkhead::metrics

#endif  // BULKHEAD_SHIM_METRICS_ISOLATION_METRIC_H_
