#include "shim/metrics/isolation_metric.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <utility>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bulkhead::metrics {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

using Values = std::vector<std::pair<std::string, double>>;

Values ValuesOf(const IsolationMetric& metric) {
  Values values;
  for (const prometheus::MetricFamily& family : metric.Collect()) {
    EXPECT_EQ(family.type, prometheus::MetricType::Gauge);
    if (family.name != "bulkhead_isolation_containers") continue;
    for (const prometheus::ClientMetric& one : family.metric) {
      values.emplace_back(one.label.at(0).value, one.gauge.value);
    }
  }
  return values;
}

// A count that waits to be let go.
class Gate {
 public:
  void Pass() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return open_; });
  }
  void Open() {
    {
      const std::lock_guard lock(mutex_);
      open_ = true;
    }
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

TEST(IsolationMetric, TellsWhatWasCountedAndWhen) {
  const IsolationMetric metric(
      [] { return IsolationCounts{.as_planned = 5, .differs = 2, .unknown = 1}; }, hours(1),
      hours(1));
  EXPECT_THAT(ValuesOf(metric),
              ElementsAre(Pair("as_planned", 5), Pair("differs", 2), Pair("unknown", 1)));
  const auto families = metric.Collect();
  ASSERT_EQ(families.size(), 2u);
  EXPECT_EQ(families[1].name, "bulkhead_isolation_counted_timestamp_seconds");
  EXPECT_GT(families[1].metric.at(0).gauge.value, 1e9);
}

TEST(IsolationMetric, CountsOnceInAPause) {
  std::atomic<uint64_t> counts = 0;
  const auto count = [&] { return IsolationCounts{.differs = ++counts}; };
  {
    const IsolationMetric rarely(count, hours(1), hours(1));
    EXPECT_EQ(ValuesOf(rarely), ValuesOf(rarely));
  }
  EXPECT_EQ(counts, 1u);
  const IsolationMetric always(count, milliseconds(0), hours(1));
  EXPECT_NE(ValuesOf(always), ValuesOf(always));
}

// A container's file system may keep the one that reads waiting.
TEST(IsolationMetric, TellsTheLastCountWhileAnotherTakesLong) {
  Gate gate;
  std::atomic<uint64_t> begun = 0;
  const IsolationMetric metric(
      [&] {
        const uint64_t number = ++begun;
        if (number > 1) gate.Pass();
        return IsolationCounts{.as_planned = number};
      },
      milliseconds(0), milliseconds(20));
  Values first;
  while (first.empty()) first = ValuesOf(metric);
  EXPECT_EQ(ValuesOf(metric), first);
  EXPECT_EQ(ValuesOf(metric), first);
  EXPECT_LE(begun, 2u) << "never two at a time";
  gate.Open();
}

TEST(IsolationMetric, TellsNothingWhileTheFirstCountTakesLong) {
  Gate gate;
  const IsolationMetric metric(
      [&] {
        gate.Pass();
        return IsolationCounts{};
      },
      hours(1), milliseconds(20));
  EXPECT_THAT(metric.Collect(), IsEmpty());
  gate.Open();
}

}  // namespace
}  // namespace bulkhead::metrics
