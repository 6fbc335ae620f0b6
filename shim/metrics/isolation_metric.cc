#include "shim/metrics/isolation_metric.h"

#include <utility>

namespace bulkhead::metrics {
namespace {

prometheus::ClientMetric Gauge(double value, const char* result = nullptr) {
  prometheus::ClientMetric metric;
  if (result != nullptr) metric.label = {{.name = "result", .value = result}};
  metric.gauge.value = value;
  return metric;
}

double Seconds(std::chrono::system_clock::time_point time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

}  // namespace

IsolationMetric::IsolationMetric(std::function<IsolationCounts()> count,
                                 std::chrono::milliseconds pause,
                                 std::chrono::milliseconds patience)
    : count_(std::move(count)), pause_(pause), patience_(patience), thread_([this] { Run(); }) {}

IsolationMetric::~IsolationMetric() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void IsolationMetric::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return wanted_ || ending_; });
    if (ending_) return;
    lock.unlock();
    const IsolationCounts counts = count_();
    lock.lock();
    counts_ = counts;
    counted_at_ = std::chrono::system_clock::now();
    wanted_ = false;
    changed_.notify_all();
  }
}

bool IsolationMetric::IsDue() const {
  const auto age = std::chrono::system_clock::now() - counted_at_;
  return !counts_ || age >= pause_ || age < age.zero();
}

std::vector<prometheus::MetricFamily> IsolationMetric::Collect() const {
  std::unique_lock lock(mutex_);
  if (!wanted_ && IsDue()) {
    wanted_ = true;
    changed_.notify_all();
  }
  changed_.wait_for(lock, patience_, [this] { return !wanted_; });
  if (!counts_) return {};
  const auto number = [](uint64_t value) { return static_cast<double>(value); };
  return {{.name = "bulkhead_isolation_containers",
           .help = "Running containers by what their isolation is beside their plans.",
           .type = prometheus::MetricType::Gauge,
           .metric = {Gauge(number(counts_->as_planned), "as_planned"),
                      Gauge(number(counts_->differs), "differs"),
                      Gauge(number(counts_->unknown), "unknown")}},
          {.name = "bulkhead_isolation_counted_timestamp_seconds",
           .help = "When bulkhead_isolation_containers were counted, seconds since the epoch.",
           .type = prometheus::MetricType::Gauge,
           .metric = {Gauge(Seconds(counted_at_))}}};
}

}  // namespace bulkhead::metrics
