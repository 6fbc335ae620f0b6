#include "shim/metrics/isolation_metric.h"

#include <glog/logging.h>

#include <string>
#include <utility>

#include "absl/strings/str_join.h"
#include "shim/log/event.h"

namespace bulkhead::metrics {
namespace {

void LogDifferences(const pods::ContainerStatus& container,
                    const std::vector<isolation::Comparison>& comparisons) {
  std::vector<std::string> mechanisms;
  for (const isolation::Comparison& one : comparisons) {
    if (one.verdict == isolation::Verdict::kDiffers) mechanisms.push_back(one.mechanism);
  }
  LOG(WARNING) << Event("a container's isolation differs from its plan")
                      .With("container", container.id)
                      .With("pod", container.pod_id)
                      .With("mechanisms", absl::StrJoin(mechanisms, ","));
}

bool StillRuns(pods::PodService& pods, const std::string& id) {
  const absl::StatusOr<pods::ContainerStatus> status = pods.GetContainerStatus(id);
  return status.ok() && status->state == pods::ContainerState::kRunning;
}

prometheus::ClientMetric Gauge(const char* result, uint64_t value) {
  prometheus::ClientMetric metric;
  metric.label = {{.name = "result", .value = result}};
  metric.gauge.value = static_cast<double>(value);
  return metric;
}

}  // namespace

IsolationCounts CountIsolation(pods::PodService& pods) {
  IsolationCounts counts;
  for (const pods::ContainerStatus& container :
       pods.ListContainers({.state = pods::ContainerState::kRunning})) {
    const auto comparisons = pods.CompareIsolation(container.id);
    if (!comparisons.ok()) {
      // Not of one that ended meanwhile.
      if (StillRuns(pods, container.id)) ++counts.unknown;
    } else if (isolation::Differs(*comparisons)) {
      ++counts.differs;
      LogDifferences(container, *comparisons);
    } else {
      ++counts.as_planned;
    }
  }
  return counts;
}

IsolationMetric::IsolationMetric(std::function<IsolationCounts()> count,
                                 std::chrono::milliseconds pause)
    : count_(std::move(count)), pause_(pause) {}

bool IsolationMetric::IsDue() const {
  return !counting_ && (!counts_ || std::chrono::steady_clock::now() - counted_at_ >= pause_);
}

std::vector<prometheus::MetricFamily> IsolationMetric::Collect() const {
  std::unique_lock lock(mutex_);
  if (IsDue()) {
    counting_ = true;
    lock.unlock();
    const IsolationCounts counts = count_();
    lock.lock();
    counting_ = false;
    counts_ = counts;
    counted_at_ = std::chrono::steady_clock::now();
  }
  if (!counts_) return {};
  return {{.name = "bulkhead_isolation_containers",
           .help = "Running containers by what their isolation is beside their plans.",
           .type = prometheus::MetricType::Gauge,
           .metric = {Gauge("as_planned", counts_->as_planned), Gauge("differs", counts_->differs),
                      Gauge("unknown", counts_->unknown)}}};
}

}  // namespace bulkhead::metrics
