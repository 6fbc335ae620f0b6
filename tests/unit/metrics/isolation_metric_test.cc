#include "shim/metrics/isolation_metric.h"

#include <condition_variable>
#include <mutex>
#include <thread>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace bulkhead::metrics {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

std::vector<std::pair<std::string, double>> Values(const IsolationMetric& metric) {
  std::vector<std::pair<std::string, double>> values;
  for (const prometheus::MetricFamily& family : metric.Collect()) {
    EXPECT_EQ(family.name, "bulkhead_isolation_containers");
    EXPECT_EQ(family.type, prometheus::MetricType::Gauge);
    for (const prometheus::ClientMetric& one : family.metric) {
      values.emplace_back(one.label.at(0).value, one.gauge.value);
    }
  }
  return values;
}

TEST(IsolationMetric, TellsWhatWasCounted) {
  const IsolationMetric metric(
      [] { return IsolationCounts{.as_planned = 5, .differs = 2, .unknown = 1}; });
  EXPECT_THAT(Values(metric),
              ElementsAre(Pair("as_planned", 5), Pair("differs", 2), Pair("unknown", 1)));
}

TEST(IsolationMetric, CountsOnceInAPause) {
  int counts = 0;
  const IsolationMetric rarely([&] { return IsolationCounts{.differs = uint64_t(++counts)}; },
                               hours(1));
  EXPECT_EQ(Values(rarely), Values(rarely));
  EXPECT_EQ(counts, 1);
  const IsolationMetric always([&] { return IsolationCounts{.differs = uint64_t(++counts)}; },
                               milliseconds(0));
  EXPECT_NE(Values(always), Values(always));
}

// A container's file system may keep the one that reads waiting.
TEST(IsolationMetric, TellsTheLastCountWhileAnotherTakesLong) {
  std::mutex mutex;
  std::condition_variable changed;
  int begun = 0;
  bool released = false;
  const IsolationMetric metric(
      [&] {
        std::unique_lock lock(mutex);
        const auto number = static_cast<uint64_t>(++begun);
        changed.notify_all();
        if (number == 2) changed.wait(lock, [&] { return released; });
        return IsolationCounts{.as_planned = number};
      },
      milliseconds(0));
  const auto first = Values(metric);
  std::thread slow([&] { Values(metric); });
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return begun == 2; });
  }
  EXPECT_EQ(Values(metric), first);
  {
    const std::lock_guard lock(mutex);
    released = true;
  }
  changed.notify_all();
  slow.join();
  EXPECT_EQ(begun, 2);
}

TEST(IsolationMetric, TellsNothingWhileTheFirstCountTakesLong) {
  std::mutex mutex;
  std::condition_variable changed;
  bool begun = false, released = false;
  const IsolationMetric metric([&] {
    std::unique_lock lock(mutex);
    begun = true;
    changed.notify_all();
    changed.wait(lock, [&] { return released; });
    return IsolationCounts{};
  });
  std::thread slow([&] { Values(metric); });
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return begun; });
  }
  EXPECT_THAT(metric.Collect(), IsEmpty());
  {
    const std::lock_guard lock(mutex);
    released = true;
  }
  changed.notify_all();
  slow.join();
}

}  // namespace
}  // namespace bulkhead::metrics
