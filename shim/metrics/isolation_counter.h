#ifndef BULKHEAD_SHIM_METRICS_ISOLATION_COUNTER_H_
#define BULKHEAD_SHIM_METRICS_ISOLATION_COUNTER_H_

#include <cstdint>
#include <map>
#include <string>

#include "shim/pods/pod_service.h"

namespace bulkhead::metrics {

// Running containers by what their isolation is beside their plans.
struct IsolationCounts {
  uint64_t as_planned = 0;
  uint64_t differs = 0;
  uint64_t unknown = 0;  // It could not be read, or no plan was kept.

  bool operator==(const IsolationCounts&) const = default;
};

// Reads the isolation of running containers from the kernel, and logs each difference once. For one
// thread.
class IsolationCounter {
 public:
  // `pods` outlives the counter.
  explicit IsolationCounter(pods::PodService& pods) : pods_(pods) {}

  // Takes some milliseconds for each container, or as long as its file systems do.
  IsolationCounts Count();

 private:
  pods::PodService& pods_;
  std::map<std::string, std::string> logged_;  // Mechanisms, by the containers' ids.
};

}  // namespace bulkhead::metrics

#endif  // BULKHEAD_SHIM_METRICS_ISOLATION_COUNTER_H_
