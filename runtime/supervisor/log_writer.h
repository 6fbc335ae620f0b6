#ifndef BULKHEAD_RUNTIME_SUPERVISOR_LOG_WRITER_H_
#define BULKHEAD_RUNTIME_SUPERVISOR_LOG_WRITER_H_

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/state.pb.h"
#include "runtime/kernel/fd.h"
#include "runtime/supervisor/container_log.h"
#include "runtime/supervisor/descriptor_post.h"

namespace bulkhead::supervisor {

// What the writer has to tell the main thread.
struct LogNotice {
  enum class Kind {
    kDrained,  // All that the container had written when Drain was called is in its log.
    kDone,     // What `ticket` stands for, a Reopen or an Attach, is in effect from here on.
    kPaused,   // The thread stands still until Resume.
    kLoss,     // `loss` has grown.
  };
  Kind kind;
  std::string id;
  uint64_t ticket = 0;
  LogLossCount loss;
};

// Writes the logs of a pod's containers, on a thread of its own, so that a hung disk stops only
// that thread: no function here waits for it, but for the destructor. All are for one thread,
// the supervisor's main one.
//
// The thread has a descriptor table of its own, which the logs' descriptors are handed over to.
// A container's process begins with a copy of the main thread's table, and its closing a copy of
// a log file would flush that file: on a hung disk that blocks (FUSE, NFS), and with it every
// launch and exec.
class LogWriter {
 public:
  static absl::StatusOr<std::unique_ptr<LogWriter>> Start();
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // Readable when there are notices.
  int notice_fd() const { return notice_.get(); }
  std::vector<LogNotice> TakeNotices();

  // Takes the descriptors in `log` over.
  void Add(const std::string& id, const state::Log& log);
  void Reopen(const std::string& id, UniqueFd file, uint64_t ticket);
  // Copies the container's output to these pipes too (AttachedClients), either may be none. They
  // are closed when there is no such log.
  void Attach(const std::string& id, UniqueFd out, UniqueFd err, uint64_t ticket);
  // See ContainerLog::Drain. An id that was never added is drained at once.
  void Drain(const std::string& id);
  // Closes its streams and its file.
  void Remove(const std::string& id);

  // Asks the thread to stand still; kPaused tells when. Resume takes it back at any time.
  void Pause();
  void Resume();
  // The states of all logs by id; only while paused. Their descriptors are the caller's until
  // Resume closes them. What was asked for since Pause is not in them, nor are attached clients.
  std::map<std::string, state::Log> Save();

  // Grows whenever the thread got on.
  uint64_t progress() const { return progress_.load(std::memory_order_relaxed); }

 private:
  using Command = std::function<void()>;
  struct Entry {
    std::string id;
    std::unique_ptr<ContainerLog> log;
    LogLossCount reported;
  };

  LogWriter(UniqueFd epoll, UniqueFd wake, UniqueFd notice, UniqueFd main_end, UniqueFd thread_end);
  void Post(Command command);

  // The rest runs on the thread.
  static void* ThreadMain(void* self);
  void Run();
  void RunCommands();
  void WaitWhilePaused();
  void Pump(uint64_t key);
  void LeaveDescriptorTable();
  void DoAdd(const std::string& id, state::Log log, uint64_t post);
  void DoReopen(const std::string& id, uint64_t ticket, uint64_t post);
  void DoAttach(const std::string& id, bool has_out, bool has_err, uint64_t ticket, uint64_t post);
  void DoDrain(const std::string& id);
  // Tells what changed in a log: its losses, the end of draining.
  void Report(Entry& entry);
  void Notify(LogNotice notice);
  // Hands copies of the logs' descriptors to the main thread, with their states.
  void OfferStates();

  // A log's state whose descriptors are in the post.
  struct Offer {
    std::string id;
    state::Log log;
    uint64_t post;
  };
  Entry* Find(const std::string& id);

  UniqueFd epoll_;
  UniqueFd wake_;
  UniqueFd notice_;
  DescriptorPost main_end_;  // of a socket pair
  std::vector<UniqueFd> saved_;
  std::atomic<uint64_t> progress_{0};

  std::mutex mutex_;  // held for moments, never over a system call that can block
  std::deque<Command> commands_;
  std::vector<LogNotice> notices_;
  std::vector<Offer> offered_;
  bool pause_ = false;
  bool stop_ = false;

  // The thread's own.
  DescriptorPost thread_end_;
  std::map<uint64_t, Entry> logs_;  // by a number that epoll carries
  uint64_t last_key_ = 0;
  LogScratch scratch_;
  pthread_t thread_ = {};
};

}  // namespace bulkhead::supervisor

#endif  // BULKHEAD_RUNTIME_SUPERVISOR_LOG_WRITER_H_
