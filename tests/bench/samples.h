#ifndef BULKHEAD_TESTS_BENCH_SAMPLES_H_
#define BULKHEAD_TESTS_BENCH_SAMPLES_H_

#include <chrono>
#include <string>
#include <utility>
#include <vector>

namespace bulkhead::bench {

// Measurements of one thing, in one unit.
class Samples {
 public:
  void Add(double value) { values_.push_back(value); }
  size_t count() const { return values_.size(); }
  // The value that `share` (0 to 1) of the samples do not exceed; 0 without samples.
  double Percentile(double share) const;

 private:
  std::vector<double> values_;
};

// One line of the report: what, on which runtime.
struct Figure {
  std::string group;  // Such as "host network".
  std::string name;   // Such as "RunPodSandbox".
  std::string unit;   // Such as "ms".
  std::string target;
  Samples samples;
};

// Figures in the order in which their first samples came.
class Report {
 public:
  // Finds or makes it. The reference is good until the next call.
  Samples& Of(const std::string& group, const std::string& name, const std::string& unit,
              const std::string& target);

  // A table for reading, runtimes side by side.
  std::string Table(const std::vector<std::string>& targets) const;
  std::string Json() const;

 private:
  std::vector<Figure> figures_;
};

// The milliseconds that an action takes.
template <typename Action>
double Milliseconds(Action&& action) {
  const auto begin = std::chrono::steady_clock::now();
  std::forward<Action>(action)();
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
      .count();
}

}  // namespace bulkhead::bench

#endif  // BULKHEAD_TESTS_BENCH_SAMPLES_H_
