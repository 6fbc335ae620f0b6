#ifndef BULKHEAD_SHIM_IMAGE_SHARED_PULLS_H_
#define BULKHEAD_SHIM_IMAGE_SHARED_PULLS_H_

#include <condition_variable>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "shim/image/image.h"
#include "shim/image/image_service.h"

namespace bulkhead::image {

// Lets callers of the same pull share one: same reference, equal credentials. The work goes on as
// long as one of them waits for it; the last one to give up stops it and sees it undone.
// Thread-safe.
class SharedPulls {
 public:
  // Outlives the caller who brought it, so it must refer to nothing of that caller's.
  using Work = std::function<absl::StatusOr<Image>(std::stop_token stop)>;

  absl::StatusOr<Image> Join(const std::string& reference, const Auth& auth,
                             const CallLimits& limits, const Work& work);

 private:
  struct Flight {
    std::string reference;
    Auth auth;
    int waiting = 0;  // 0: given up, not to be joined any more
    std::stop_source stop;
    std::optional<absl::StatusOr<Image>> result;
    std::jthread thread;
  };

  absl::StatusOr<std::shared_ptr<Flight>> Board(const std::string& reference, const Auth& auth,
                                                const Work& work);
  void Wait(std::unique_lock<std::mutex>& lock, Flight& flight, const CallLimits& limits);

  std::mutex mutex_;
  std::condition_variable_any landed_;
  std::list<std::shared_ptr<Flight>> flights_;
};

}  // namespace bulkhead::image

#endif  // BULKHEAD_SHIM_IMAGE_SHARED_PULLS_H_
