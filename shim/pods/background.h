#ifndef BULKHEAD_SHIM_PODS_BACKGROUND_H_
#define BULKHEAD_SHIM_PODS_BACKGROUND_H_

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"

namespace bulkhead::pods {

// A few threads for what no call waits for. Thread safe.
class Background {
 public:
  struct Pauses {
    std::chrono::milliseconds first{1000};
    std::chrono::milliseconds longest{60000};
  };

  explicit Background(int threads);
  Background(int threads, Pauses pauses);
  ~Background() { Shutdown(); }
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  // Runs the task soon.
  void Post(std::function<void()> task);
  // Runs the task after a pause, and again after growing ones until it succeeds. A key that is
  // being retried already is left as it is. `what` goes to the log with each failure.
  void Retry(const std::string& key, const std::string& what, std::function<absl::Status()> task);
  // Drops what has not begun and waits for what has. Later tasks are dropped.
  void Shutdown();

 private:
  using Clock = std::chrono::steady_clock;
  void At(Clock::time_point when, std::function<void()> task);
  void Attempt(const std::string& key, const std::string& what,
               const std::function<absl::Status()>& task, std::chrono::milliseconds pause);
  void Run();

  const Pauses pauses_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::multimap<Clock::time_point, std::function<void()>> tasks_;
  std::set<std::string> retried_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace bulkhead::pods

#endif  // BULKHEAD_SHIM_PODS_BACKGROUND_H_
