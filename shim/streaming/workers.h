#ifndef BULKHEAD_SHIM_STREAMING_WORKERS_H_
#define BULKHEAD_SHIM_STREAMING_WORKERS_H_

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"

#include "shim/streaming/socket.h"

namespace bulkhead::streaming {

// Set once nobody wants a call's result any more.
using GivenUp = std::shared_ptr<std::atomic<bool>>;

// The threads for calls that may block. Their results come back to the io thread.
class Workers {
 public:
  using Strand = asio::strand<asio::thread_pool::executor_type>;
  struct Lanes {
    std::vector<Strand> strands;
    size_t next = 0;
  };
  // One call after the other.
  struct Queue {
    std::shared_ptr<Lanes> lanes;  // Of all that has the same key; waiting calls keep them.
    Strand strand;
  };

  Workers(asio::any_io_executor io, size_t threads) : io_(std::move(io)), pool_(threads) {}

  // Returns when the calls in progress have; those that wait are not made, and no more may come.
  void Join() {
    ended_ = true;
    pool_.join();
  }

  // `key` is what the calls are about, such as a container's id: one that hangs holds up no more
  // than kMostOfOneKey threads, and leaves the others to the rest. For the io thread.
  Queue NewQueue(const std::string& key) {
    std::erase_if(lanes_, [](const auto& entry) { return entry.second.expired(); });
    std::shared_ptr<Lanes> lanes = lanes_[key].lock();
    if (lanes == nullptr) {
      lanes = std::make_shared<Lanes>();
      for (size_t i = 0; i < kMostOfOneKey; ++i) {
        lanes->strands.push_back(asio::make_strand(pool_.get_executor()));
      }
      lanes_[key] = lanes;
    }
    return {lanes, lanes->strands[lanes->next++ % kMostOfOneKey]};
  }

  // `done` is given what `work` returns, or CANCELLED where it was given up before its turn came.
  // What keeps a session alive belongs into `done`, so that it is let go on the io thread.
  template <typename Work, typename Done>
  void Run(const Queue& queue, const GivenUp& given_up, Work work, Done done) {
    asio::post(queue.strand, [this, lanes = queue.lanes, given_up, work = std::move(work),
                              done = std::move(done)]() mutable {
      using Result = std::invoke_result_t<Work&>;
      Result result = *given_up || ended_ ? Result(absl::CancelledError("given up")) : work();
      asio::post(io_, [result = std::move(result), done = std::move(done)]() mutable {
        done(std::move(result));
      });
    });
  }

  template <typename Work>
  void Run(const Queue& queue, Work work) {
    asio::post(queue.strand, [lanes = queue.lanes, work = std::move(work)]() mutable { work(); });
  }

 private:
  static constexpr size_t kMostOfOneKey = 3;

  const asio::any_io_executor io_;
  std::map<std::string, std::weak_ptr<Lanes>> lanes_;
  std::atomic<bool> ended_ = false;
  asio::thread_pool pool_;
};

}  // namespace bulkhead::streaming

#endif  // BULKHEAD_SHIM_STREAMING_WORKERS_H_
