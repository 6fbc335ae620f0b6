#ifndef BULKHEAD_RUNTIME_SUPERVISOR_LOG_DESK_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_LOG_DESK_H_

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "proto/supervisor.pb.h"
#include "runtime/kernel/fd.h"
#include "runtime/supervisor/event_loop.h"
#include "runtime/supervisor/log_writer.h"

namespace bulkhead::supervisor {

// The main thread's side of the log writer: starts it with the first log, waits for it with
// deadlines and passes on what it says.
class LogDesk {
 public:
  // How long a container's end is held back when the log writer does not get on (a hung disk),
  // and at most.
  static constexpr std::chrono::milliseconds kDrainPatience{2000};
  static constexpr std::chrono::milliseconds kDrainLimit{10000};
  // A log that loses lines says so once in this time.
  static constexpr std::chrono::milliseconds kLossInterval{1000};

  using Done = std::function<void()>;

  // `on_loss` gets a container's counts.
  LogDesk(EventLoop& loop, std::function<void(const LogLoss&)> on_loss);
  ~LogDesk();
  LogDesk(const LogDesk&) = delete;
  LogDesk& operator=(const LogDesk&) = delete;

  // Starts the thread where there is none yet.
  absl::Status Start();
  // Takes the descriptors in `log` over. After Start.
  void Add(const std::string& id, const state::Log& log);
  // Calls `done` once the new file is in use, however long that takes.
  void Reopen(const std::string& id, UniqueFd file, Done done);
  // Copies the container's output to these pipes too, and calls `done` once that begins.
  void Attach(const std::string& id, UniqueFd out, UniqueFd err, Done done);
  // How many of Reopen and Attach are not done: many only where the writer hangs.
  size_t waiting() const { return waiting_.size(); }
  // Calls `done` once all that the container wrote is in its log, its losses passed on, or the
  // writer did not get on for too long.
  void Drain(const std::string& id, Done done);
  void Remove(const std::string& id);

  // Makes the thread stand still. `done` gets whether it does; otherwise it goes on.
  void Pause(std::chrono::milliseconds patience, std::function<void(bool)> done);
  void Resume();
  std::map<std::string, state::Log> Save();

 private:
  struct Draining {
    Done done;
    uint64_t timer;
    uint64_t progress;
    EventLoop::Clock::time_point limit;
  };
  struct Losing {
    LogLoss loss;
    bool told = true;
    uint64_t timer = 0;  // 0: not within the interval
  };

  void OnNotices();
  void OnLoss(const std::string& id, const LogLossCount& count);
  void TellLoss(const std::string& id);
  void Watch(const std::string& id);
  void FinishDrain(const std::string& id);
  void SetUnfinished(const std::string& id, bool unfinished);
  void FinishPause(bool paused);

  EventLoop& loop_;
  std::function<void(const LogLoss&)> on_loss_;
  std::unique_ptr<LogWriter> writer_;
  std::map<std::string, Draining> draining_;
  std::map<std::string, Losing> losing_;
  std::map<uint64_t, Done> waiting_;  // by ticket
  uint64_t last_ticket_ = 0;
  std::function<void(bool)> pausing_;
  uint64_t pause_timer_ = 0;
};

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_LOG_DESK_H_
